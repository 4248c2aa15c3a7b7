"""The sandbox: its command line, and what a command inside it really sees."""
# ruff: noqa: S108 - these are places in the sandbox

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from builders import rebuilds
from builders.tools import require
from teekit_verify.core.errors import TeekitError, ToolFailedError, ToolMissingError
from teekit_verify.rebuild import limits
from teekit_verify.rebuild import sandbox as sandbox_module
from teekit_verify.rebuild.sandbox import FIRST_ID, Sandbox, own_first_id


@pytest.mark.usefixtures("no_limits_of_our_own")
def test_the_command_line_of_one_case() -> None:
    sandbox = Sandbox(
        root=Path("/nix/store/x"),
        binds={"/work": Path("/w/A")},
        read_only_binds={"/packages": Path("/w/packages")},
        environment={"PATH": "/usr/bin", "HOME": "/home/first"},
        hostname="first",
        working_directory="/work",
        umask=0o002,
        processors=(0, 3),
    )
    argv = sandbox.argv(["mkosi", "build"])
    end = argv.index("--", argv.index("bwrap"))
    with_filter = ["sh", "-c", 'exec "$@" 9<"$0"', str(Path(sandbox_module.__file__).with_name("seccomp.bpf"))]
    assert argv[:4] == with_filter
    assert " ".join(argv[4:end]) == (
        f"choom -n 1000 -- prlimit --core=0 --data={16 << 30} --fsize={64 << 30} --nproc=8192 "
        f"bwrap --size {256 << 20} --tmpfs / --ro-bind /nix/store/x/usr /usr --ro-bind /nix/store/x/etc /etc --ro-bind /nix/store/x/var /var "
        "--symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/sbin /sbin "
        f"--proc /proc --dev /dev --remount-ro /dev --size {256 << 20} --tmpfs /dev/shm --size {256 << 20} --tmpfs /home "
        f"--size {256 << 20} --tmpfs /root --size {256 << 20} --tmpfs /run "
        f"--size {2 << 30} --tmpfs /tmp --size {2 << 30} --tmpfs /var/tmp "
        "--ro-bind /w/packages /packages --bind /w/A /work "
        "--unshare-uts --hostname first --unshare-ipc --unshare-pid --unshare-cgroup-try --unshare-net --seccomp 9 "
        "--cap-add ALL --die-with-parent --new-session "
        "--clearenv --setenv HOME /home/first --setenv PATH /usr/bin --chdir /work"
    )
    assert argv[end + 1 :] == [
        *("sh", "-c", 'umask 0002; exec "$@"', "sh"),
        *("taskset", "--cpu-list", "0,3", "mkosi", "build"),
    ]


def test_with_ids_of_its_own_it_starts_from_a_stage() -> None:
    """The stage brings the bound folders into reach before root's powers are given up."""
    plain = Sandbox(root=Path("/x"), binds={"/work": Path("/root/A")}, read_only_binds={"/packages": Path("/p")})
    argv = replace(plain, first_id=500000, random_addresses=False, scratch=("/build",)).argv(["true"])
    stage, unshare, _, inner = [list(group) for end, group in groupby(argv, "--".__eq__) if not end][:4]
    ids = Path(sandbox_module.__file__).with_name("subordinate-ids")
    assert " ".join(stage) == (
        f"bwrap --dev-bind / / --tmpfs /mnt --ro-bind {ids} /etc/subuid --ro-bind {ids} /etc/subgid "
        "--ro-bind /x /mnt/root --ro-bind /p /mnt/read-only-0 --bind /root/A /mnt/writable-0 --cap-add ALL --die-with-parent"
    )
    assert unshare[2:4] == ['exec "$@" 9<"$0"', str(ids.with_name("seccomp.bpf"))]
    assert " ".join(unshare[4:]) == (
        "unshare --user --map-users=500000,0,65536 --map-groups=500000,0,65536 --setuid 0 --setgid 0"
    )
    text = " ".join(inner)
    assert "--ro-bind /mnt/root/usr /usr" in text
    assert (
        f"--tmpfs /var/tmp --size {2 << 30} --tmpfs /build --ro-bind /mnt/read-only-0 /packages --bind /mnt/writable-0 /work"
        in text
    )
    assert argv[-3:] == ["setarch", "--addr-no-randomize", "true"]


def test_a_terminal_and_the_network_are_asked_for() -> None:
    plain = Sandbox(root=Path("/x")).argv(["true"])
    open_one = Sandbox(root=Path("/x"), network=True, terminal=True).argv(["true"])
    assert plain[4:6] == ["choom", "-n"]
    assert open_one[4:6] == ["choom", "-n"]
    inner = plain[plain.index("bwrap") :]
    assert set(inner) - set(open_one) == {"--unshare-net", "--new-session"}
    assert "--seccomp" not in Sandbox(root=Path("/x"), network=True).argv(["true"])
    assert "taskset" not in plain


@pytest.fixture
def no_limits_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the command line does not depend on what whoever runs the tests was given."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ("head -c 300000000 /dev/zero >/run/x", "No space left on device"),
        ("head -c 300000000 /dev/zero >/dev/shm/x", "No space left on device"),
        ("head -c 3000000000 /dev/zero >/tmp/x", "No space left on device"),
        ("touch /dev/x", "Read-only file system"),
    ],
)
def test_file_systems_in_memory_are_bounded(tree: Path, script: str, end: str) -> None:
    with pytest.raises(ToolFailedError, match=end):
        Sandbox(root=tree, first_id=own_first_id()).run(["sh", "-c", script], timeout_seconds=600)


def test_processes_and_files_are_bounded(tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As root of its own ids, the bound on processes is the kernel's, for the sandbox's root too."""
    monkeypatch.setattr(limits, "PROCESSES", 50)
    monkeypatch.setattr(limits, "FILE_BYTES", 4096)
    sandbox = Sandbox(root=tree, first_id=own_first_id(), binds={"/work": tmp_path})
    tmp_path.chmod(0o777)
    with pytest.raises(
        ToolFailedError, match=r"[Cc]annot fork|Resource temporarily unavailable|more than 50 processes"
    ):
        sandbox.run(
            ["sh", "-c", "for i in $(cat /many); do sleep 600 & done".replace("$(cat /many)", "x " * 100)],
            timeout_seconds=600,
        )
    with pytest.raises(ToolFailedError):
        sandbox.run(["sh", "-c", "head -c 5000 /dev/zero >/work/x"], timeout_seconds=600)
    assert (tmp_path / "x").stat().st_size <= 4096


def output(sandbox: Sandbox, script: str) -> str:
    return sandbox.run(["sh", "-c", script], timeout_seconds=600).stdout.decode()


def test_variables_of_the_host_do_not_get_in(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEEKIT_SECRET", "s3cret")
    monkeypatch.setenv("LD_PRELOAD", "")
    sandbox = Sandbox(root=tree, environment={"PATH": "/usr/bin", "GIVEN": "yes"})
    # PWD is the shell's own.
    assert sorted(output(sandbox, "env").splitlines()) == ["GIVEN=yes", "PATH=/usr/bin", "PWD=/"]
    assert "s3cret" not in output(sandbox, "cat /proc/*/environ /proc/self/mountinfo")


def test_files_of_the_host_are_not_there(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    (tmp_path / "work").mkdir()
    sandbox = Sandbox(root=tree, binds={"/work": tmp_path / "work"})
    listed = output(sandbox, "ls -A /; ls -A /home /root /tmp /run /work")
    assert listed.split("/home:")[0].split() == sorted(
        ["bin", "dev", "etc", "home", "lib", "lib64", "proc", "root", "run", "sbin", "tmp", "usr", "var", "work"]
    )
    assert listed.split("/home:")[1].split() == ["/root:", "/run:", "/tmp:", "/work:"]
    for place in (tmp_path, Path.cwd(), Path("/nix/store"), Path("/sys/class/net"), Path("/dev/sda")):
        assert output(sandbox, f"ls {place} 2>/dev/null || echo not there") == "not there\n"
    assert output(sandbox, "ls /dev").split() == sorted(
        [
            "core",
            "fd",
            "full",
            "null",
            "ptmx",
            "pts",
            "random",
            "shm",
            "stderr",
            "stdin",
            "stdout",
            "tty",
            "urandom",
            "zero",
        ]
        + (["console"] if "console" in output(sandbox, "ls /dev") else [])
    )


def test_only_its_own_processes_and_no_network(tree: Path) -> None:
    sandbox = Sandbox(root=tree)
    numbers = [name for name in output(sandbox, "ls /proc").split() if name.isdecimal()]
    assert len(numbers) <= 3
    interfaces = output(sandbox, "cat /proc/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]
    assert output(sandbox, "cat /proc/net/route").splitlines()[1:] == []


def test_conditions_are_applied(tree: Path) -> None:
    processor = min(os.sched_getaffinity(0))
    sandbox = Sandbox(
        root=tree, hostname="second.example.org", umask=0o002, processors=(processor,), working_directory="/tmp"
    )
    assert output(
        sandbox, "hostname; umask; nproc; cat /proc/self/cwd/../proc/sys/kernel/hostname; id -u; ls -d $PWD"
    ) == ("second.example.org\n0002\n1\nsecond.example.org\n0\n/tmp\n")
    assert output(Sandbox(root=tree), "umask; nproc") == f"0022\n{len(os.sched_getaffinity(0))}\n"


def test_what_is_bound_read_only_stays_as_it_is(tree: Path, tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    sandbox = Sandbox(
        root=tree, read_only_binds={"/srv/deep/place": tmp_path / "in"}, binds={"/work": tmp_path / "out"}
    )
    script = "for place in /srv/deep/place /usr /etc /var /work; do touch $place/new 2>/dev/null && echo $place; done"
    assert output(sandbox, f"{script}; :") == "/work\n"
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["file"]
    assert not (tree / "usr" / "new").exists()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has ids to choose from")


@pytest.fixture
def own_ids(tree: Path, tmp_path: Path) -> Sandbox:
    """As a build of root has it: a folder of its own, behind one that only root may enter."""
    closed = tmp_path / "closed"
    (closed / "work").mkdir(parents=True)
    os.chown(closed / "work", FIRST_ID, FIRST_ID)
    closed.chmod(0o700)
    return Sandbox(root=tree, binds={"/work": closed / "work"}, first_id=FIRST_ID)


@needs_root
def test_its_root_is_nobody_on_the_host(own_ids: Sandbox) -> None:
    assert output(own_ids, "id -u; id -g; touch /work/made; ls -ln /work | cut -d' ' -f3,4") == "0\n0\n\n0 0\n"
    made = own_ids.binds["/work"] / "made"
    assert (made.stat().st_uid, made.stat().st_gid) == (FIRST_ID, FIRST_ID)


@needs_root
@pytest.mark.parametrize(
    "attempt",
    [
        "echo 1 >/proc/sys/kernel/printk",
        "echo x >/proc/sys/kernel/core_pattern",
        "echo h >/proc/sysrq-trigger",
        "mknod /work/disk b 8 0",
        "mknod /dev/mem c 1 1",
        "mount -t devtmpfs none /tmp",
        "mount -t sysfs none /tmp",
        "mount -o remount,bind,rw /usr && touch /usr/x",
        "date -s @0",
    ],
)
def test_what_only_the_hosts_root_may(own_ids: Sandbox, attempt: str) -> None:
    """As the host's root, most of these worked or failed for another reason than a lack of rights."""
    answer = output(own_ids, f"({attempt}) 2>&1 && echo it worked; :")
    assert "it worked" not in answer
    assert answer


@needs_root
def test_ids_do_not_reach_further_than_their_range(own_ids: Sandbox) -> None:
    assert output(own_ids, "cat /proc/self/uid_map /proc/self/gid_map").split() == 2 * ["0", str(FIRST_ID), "65536"]


@pytest.mark.skipif(os.geteuid() != 0, reason="other users have subordinate ids")
@pytest.mark.parametrize(
    ("id_map", "enough"),
    [
        ("         0          0 4294967295\n", True),  # Linux without containers
        ("0 1000 1\n1 100000 1879048191\n", True),
        ("         0     100000      65536\n", False),  # a container of podman or LXD
        ("0 100000 1879048191\n", False),  # one less than enough
        ("0 0 65536\n1878917121 0 200000\n", False),
        ("", False),
    ],
)
def test_a_root_that_has_not_got_the_ids_of_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, id_map: str, *, enough: bool
) -> None:
    (tmp_path / "all").write_text("0 0 4294967295\n")
    (tmp_path / "map").write_text(id_map)
    monkeypatch.setattr(sandbox_module, "_ID_MAPS", (tmp_path / "all", tmp_path / "map"))
    if enough:
        assert sandbox_module.own_first_id() == FIRST_ID
        return
    with pytest.raises(TeekitError) as caught:
        sandbox_module.own_first_id()
    assert caught.value.message == (
        "root does not have the user and group ids 1878917120 to 1879048191 here: this is a container with few ids"
    )
    assert caught.value.hint is not None
    assert "--userns=host" in caught.value.hint


def test_addresses_are_random_unless_told_otherwise(tree: Path) -> None:
    def places(sandbox: Sandbox) -> set[str]:
        return {output(sandbox, "head -n 1 /proc/self/maps") for _ in range(3)}

    assert len(places(Sandbox(root=tree))) == 3
    assert len(places(Sandbox(root=tree, random_addresses=False))) == 1


def test_a_failing_command_is_told_with_its_log(tree: Path, tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    with pytest.raises(ToolFailedError, match=r"failed with exit status 3; its last lines were:\n  \| the reason"):
        Sandbox(root=tree).run(["sh", "-c", "echo the reason >&2; exit 3"], timeout_seconds=600, log=log)
    assert log.read_text() == "the reason\n"


def test_what_a_killed_run_started_ends_with_it(tmp_path: Path) -> None:
    """The grandchild too: what outlives a run would write into the files of the next one."""
    require("bwrap")
    script = f"sleep 600 & echo started >{tmp_path}/started; wait; echo late >{tmp_path}/late"
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from pathlib import Path\n"
        "from teekit_verify.core import process\n"
        "from teekit_verify.rebuild.sandbox import looking_only\n"
        f"argv = [*looking_only(Path({str(tmp_path)!r}), fills=True), 'sh', '-c', {script!r}]\n"
        "process.run(argv, timeout_seconds=600, environment=dict(PATH='/usr/bin:/bin'))"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as killed:
        rebuilds.wait_for(tmp_path / "started", killed)
        killed.kill()
    rebuilds.no_processes_of(tmp_path)
    assert not (tmp_path / "late").exists()


def test_without_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for method in (
        Sandbox(root=Path("/")).command_line,
        lambda argv: Sandbox(root=Path("/")).run(argv, timeout_seconds=1),
    ):
        with pytest.raises(ToolMissingError) as caught:
            method(["true"])
        assert caught.value.message == "the program 'bwrap' is not installed"
        assert caught.value.hint == "Run scripts/setup_deps.sh, which installs bubblewrap."
