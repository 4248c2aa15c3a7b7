"""Runaways, for real: many small processes, file systems in memory that a build mounts for itself. Each is ended, and named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders.standins import StandIns
from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError, ToolFailedError
from teekit_verify.rebuild import groups, limits
from teekit_verify.rebuild.groups import Bounds, Kind
from teekit_verify.rebuild.memory import memory
from teekit_verify.rebuild.sandbox import Sandbox, own_first_id

if TYPE_CHECKING:
    from collections.abc import Iterator

# Without end, so that what others on the host do with its memory meanwhile decides nothing; and not at full speed, so that the
# host has memory left where whoever watches gets no time for some seconds. sort(1) holds its line and waits for the rest.
EATERS = "while sleep 0.2; do { head -c 40000000 /dev/zero; sleep 600; } | sort & done"
FILLER = "mkdir /tmp/x && mount -t tmpfs -o size=16g none /tmp/x && while sleep 0.2; do head -c 40000000 /dev/zero >>/tmp/x/file; done"
FORKS = "while :; do sleep 600 & done"
USERS = "for id in 1 2 3 4 5 6; do setpriv --reuid=$id --clear-groups sh -c 'for n in $(seq 60); do sleep 600 & done; wait' & done; wait"
BOUNDS = Bounds(400 << 20, 300)
SECONDS = 600


@pytest.fixture
def grouped(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A sandbox in whatever group can be had here; none of them is left behind."""
    if groups.available() is Kind.NONE:
        pytest.skip("there is no control group for us here")
    monkeypatch.setattr(limits, "whole", lambda: BOUNDS)
    yield Sandbox(root=tree, first_id=own_first_id())
    assert not list(Path("/sys/fs/cgroup").rglob(f"teekit-verify-{os.getpid()}-*"))


@pytest.fixture
def watched(tree: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox on a host without groups, where 400 MB less than now is hardly any memory left, and 80 tasks more are many."""
    monkeypatch.setattr(groups, "available", lambda: Kind.NONE)
    least = memory(limits.MEMINFO).available_bytes - (400 << 20)
    monkeypatch.setattr(limits, "_least_memory", lambda _: least)
    return Sandbox(root=tree, first_id=own_first_id())


@pytest.mark.parametrize("runaway", [EATERS, FILLER], ids=["many small eaters", "a file system in memory"])
def test_a_group_bounds_the_memory_of_the_whole(grouped: Sandbox, runaway: str) -> None:
    with pytest.raises(ToolFailedError, match=r"used more than 419430400 bytes of memory together"):
        grouped.run(["sh", "-c", runaway], timeout_seconds=SECONDS)


def test_a_group_bounds_the_number_of_processes(grouped: Sandbox) -> None:
    with pytest.raises(ToolFailedError, match=r"had more than 300 processes together|Cannot fork|fork"):
        grouped.run(["sh", "-c", FORKS], timeout_seconds=SECONDS)


@pytest.mark.parametrize("runaway", [EATERS, FILLER], ids=["many small eaters", "a file system in memory"])
def test_without_groups_the_hosts_memory_is_watched(watched: Sandbox, runaway: str) -> None:
    with pytest.raises(ToolFailedError, match=r"left only [0-9]+ bytes of the host's memory"):
        watched.run(["sh", "-c", runaway], timeout_seconds=SECONDS)


def test_without_groups_the_hosts_tasks_are_watched(watched: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PROCESSES", 40)
    monkeypatch.setattr(limits, "_at_most", lambda _, wanted: max(wanted, 8192))
    with pytest.raises(ToolFailedError, match=r"had the host run more than [0-9]+ tasks"):
        watched.run(["sh", "-c", FORKS], timeout_seconds=SECONDS)


# The kernel counts for each user namespace only where another user than root makes it: as root there is nothing to try.
if os.geteuid() != 0:

    def test_users_of_a_sandbox_share_one_bound_on_processes(monkeypatch: pytest.MonkeyPatch) -> None:
        """Root of the sandbox may become each of its 65536 users, who would have a bound each (each has 60 processes, of 200)."""
        monkeypatch.setattr(groups, "available", lambda: Kind.NONE)
        monkeypatch.setattr(limits, "PROCESSES", 200)
        with pytest.raises(ToolFailedError, match=r"(?i)cannot fork"):
            Sandbox(root=Path("/"), tree=("usr",)).run(
                ["sh", "-c", f"({USERS}) 2>&1 | grep -m1 -i fork && exit 7"], timeout_seconds=SECONDS
            )


def test_a_command_that_is_beside_us_is_watched_too(grouped: Sandbox, tmp_path: Path) -> None:
    with (
        pytest.raises(ToolFailedError, match="together"),
        grouped.running(["sh", "-c", EATERS], timeout_seconds=SECONDS, log=tmp_path / "log") as beside,
    ):
        grouped.run(["sleep", "600"], timeout_seconds=SECONDS, watch=beside.watch)


def test_groups_of_other_runs_are_removed_once_those_have_ended(tmp_path: Path) -> None:
    """Also those of another container, whose processes are not seen here: this one's ID is nobody's in ours."""
    name = "teekit-verify-4194305-0"  # beyond the largest ID, proc(5)
    holding = f"from pathlib import Path; from teekit_verify.rebuild import groups\nwith groups._claimed(Path({str(tmp_path / name)!r})):\n print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        groups._remove_left(tmp_path)
        assert (tmp_path / name).is_dir()
        other.kill()
    assert (tmp_path / name).is_dir()
    groups._remove_left(tmp_path)
    assert not (tmp_path / name).exists()


def test_what_fits_is_let_be(grouped: Sandbox) -> None:
    said = grouped.run(["sh", "-c", "head -c 100000000 /dev/zero | wc -c"], timeout_seconds=SECONDS).stdout
    assert said == b"100000000\n"


@pytest.mark.parametrize(
    ("groups_of_us", "mounts", "parents"),
    [
        # cgroup-v2.rst: a group below one that shares memory and processes out; and a container with its own view.
        (
            "0::/user.slice/user-1000.slice/session-2.scope\n",
            "29 23 0:26 / {0} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
            ("user.slice/user-1000.slice",),
        ),
        ("0::/\n", "29 23 0:26 / {0} rw - cgroup2 cgroup rw\n", ()),
        (
            "0::/docker/abc\n",
            "29 23 0:26 /docker {0} rw - cgroup2 cgroup rw\n",
            (".",),
        ),
    ],
)
def test_where_a_group_of_v2_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups_of_us: str, mounts: str, parents: tuple[str, ...]
) -> None:
    root = tmp_path / "cgroup"
    for parent in parents:
        (root / parent).mkdir(parents=True, exist_ok=True)
        (root / parent / "cgroup.subtree_control").write_text("cpu memory pids\n")
    (tmp_path / "mounts").write_text(mounts.format(root))
    (tmp_path / "own").write_text(groups_of_us)
    monkeypatch.setattr(groups, "MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr(groups, "OWN_GROUPS", tmp_path / "own")
    if not parents:
        with pytest.raises(TeekitError, match="no control group"):
            groups._parents(Kind.V2)
        return
    assert [found.resolve() for found in groups._parents(Kind.V2)] == [(root / place).resolve() for place in parents]


SYSTEMD_RUN = """\
for option; do
    shift
    case $option in --) exec "$@" ;; --user) [ "$XDG_RUNTIME_DIR" = /run/user/7 ] || exit 9 ;; esac
done
"""


@pytest.mark.parametrize("user", [0, 7])
def test_a_users_systemd_is_found_though_a_sandbox_has_no_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int
) -> None:
    """With a stand-in that wants to be told where it is, as systemd-run(1) does, and then becomes the command."""
    made = StandIns.make(tmp_path / "bin")
    made.add("systemd-run", SYSTEMD_RUN)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    # The stand-in makes no group, so the command says that of this test, in which the kernel may have ended something before.
    (tmp_path / "mounts").touch()
    monkeypatch.setattr(groups, "MOUNTS", tmp_path / "mounts")
    environment = {"PATH": f"{made.folder}:/usr/bin:/bin"}
    with groups.entered(Kind.SYSTEMD, BOUNDS) as group:
        done = process.run([*group.argv, "echo", "it ran"], timeout_seconds=SECONDS, environment=environment)
        assert done.stdout == b"it ran\n"
        assert group.watch() is None
    (call,) = made.calls
    assert "--property=MemoryMax=419430400 --property=MemorySwapMax=0 --property=TasksMax=300 -- " in call
