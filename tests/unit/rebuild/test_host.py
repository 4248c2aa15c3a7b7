"""What the host has, asked with stand-ins for nix and bubblewrap on the PATH."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders.standins import StandIns
from builders.tools import require
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import host, sandbox, subordinate
from teekit_verify.rebuild import memory as memories

if TYPE_CHECKING:
    from teekit_verify.rebuild.host import Finding

PROGRAMS = ["apt-get", "apt-cache", "dpkg-deb", "tar", "qemu-system-x86_64", "swtpm", "mcopy", "sfdisk", "diffoscope"]


ROOT_OF_ITS_OWN = () if os.geteuid() == 0 else ("--user", "--map-root-user")


def require_real(program: str) -> str:
    """From the host's own PATH, not that of the stand-ins."""
    path = shutil.which(program, path=os.defpath)
    assert path is not None
    return path


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """A host that has everything."""
    made = StandIns.make(tmp_path / "bin")
    for name in PROGRAMS:
        made.add(name)
    made.add("newuidmap")
    made.add("nix", 'case $1 in --version) echo "nix (Nix) 2.8.0" ;; *) dirname "$0" ;; esac')
    made.add("bwrap", 'case $1 in --version) echo "bubblewrap 0.8.0" ;; esac')
    made.add("unshare", 'while [ "$1" != bwrap ] && [ "$1" != true ]; do shift; done; exec "$@"')
    firmware = tmp_path / "OVMF"
    firmware.mkdir()
    (firmware / "OVMF_CODE_4M.fd").touch()
    (tmp_path / "keyring.gpg").touch()
    memory(tmp_path, kilobytes=4 << 20)
    monkeypatch.setenv("PATH", str(made.folder))
    monkeypatch.setattr(host, "FIRMWARE", firmware)
    monkeypatch.setattr(host, "KEYRING", tmp_path / "keyring.gpg")
    monkeypatch.setattr(host, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memories, "OWN_GROUPS", tmp_path / "own groups")
    monkeypatch.setattr(memories, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(host, "FREE_BYTES", 1)
    return made


def memory(folder: Path, *, kilobytes: int) -> None:
    (folder / "meminfo").write_text(f"MemTotal:       {kilobytes} kB\nMemFree:         1 kB\n")


def finding(name: str, folder: Path) -> Finding:
    (found,) = [found for found in host.examine([folder]) if found.name == name]
    return found


def test_a_host_that_has_everything(stand_ins: StandIns, tmp_path: Path) -> None:
    findings = host.examine([tmp_path])
    assert [found.name for found in findings if not found.present] == []
    assert host.can_rebuild(findings)
    assert finding("nix", tmp_path).detail == "nix (Nix) 2.8.0"
    assert finding("bubblewrap", tmp_path).detail == "bubblewrap 0.8.0"


def test_nix_and_bubblewrap_are_run_as_a_build_runs_them(stand_ins: StandIns, tmp_path: Path) -> None:
    host.examine([tmp_path])
    assert any(call.startswith("nix store add-path --name teekit-doctor ") for call in stand_ins.calls)
    for sandboxed, end in zip(
        [call for call in stand_ins.calls if "--unshare-net" in call and call.startswith("bwrap ")],
        [" true", " overlay d && touch d/e"],
        strict=True,
    ):
        assert sandboxed.endswith(end)


@pytest.mark.parametrize(
    ("program", "name"), [("nix", "nix"), ("bwrap", "bubblewrap"), ("git", "git"), ("apt-get", "apt-get")]
)
def test_a_missing_program(stand_ins: StandIns, tmp_path: Path, program: str, name: str) -> None:
    (stand_ins.folder / program).unlink()
    found = finding(name, tmp_path)
    assert (found.present, found.installable) == (False, True)
    assert found.detail == f"the program '{program}' is not installed"
    assert not host.can_rebuild(host.examine([tmp_path]))


def test_a_boot_is_no_condition_for_a_rebuild(stand_ins: StandIns, tmp_path: Path) -> None:
    (stand_ins.folder / "swtpm").unlink()
    (tmp_path / "OVMF" / "OVMF_CODE_4M.fd").unlink()
    assert not finding("swtpm", tmp_path).present
    assert finding("OVMF", tmp_path).detail == f"no OVMF_CODE*.fd in {tmp_path}/OVMF"
    assert host.can_rebuild(host.examine([tmp_path]))


@pytest.mark.parametrize(
    ("made", "way"), [(False, "scripts/setup_deps.sh to give /nix to this user"), (True, "as the owner of /nix")]
)
def test_a_store_that_takes_nothing(
    stand_ins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, *, made: bool
) -> None:
    """Set-up makes a store where there is none; somebody else's it does not take."""
    monkeypatch.setattr(host, "STORE", tmp_path / "store")
    if made:
        (tmp_path / "store").mkdir()
    stand_ins.add("nix", 'case $1 in --version) echo "nix 2" ;; *) echo "permission denied" >&2; exit 1 ;; esac')
    found = finding("nix", tmp_path)
    assert (found.present, found.installable) == (False, False)
    assert found.detail.startswith("nix 2 cannot add to its store: nix failed with exit status 1")
    assert "permission denied" in found.detail
    assert found.hint == f"Run as root, or {way}, or install Debian's nix-setup-systemd."


def test_a_store_that_is_not_in_nix(stand_ins: StandIns, tmp_path: Path) -> None:
    """Nix 2.26 falls back to a store in the user's home, and still prints /nix/store paths."""
    stand_ins.add("nix", 'case $1 in --version) echo "nix 2" ;; *) echo /nowhere/store/x ;; esac')
    found = finding("nix", tmp_path)
    assert found.detail == "nix 2 keeps its store somewhere else: /nowhere/store/x is not there"


def test_a_sandbox_that_cannot_be_made(stand_ins: StandIns, tmp_path: Path) -> None:
    stand_ins.add("bwrap", 'case $1 in --version) echo "bwrap 1" ;; *) echo "no namespaces" >&2; exit 1 ;; esac')
    found = finding("bubblewrap", tmp_path)
    assert (found.present, found.installable) == (False, False)
    assert re.match("bwrap 1 cannot make a sandbox: (bwrap|unshare) failed with exit status 1", found.detail)
    assert "no namespaces" in found.detail
    assert "user namespaces" in found.hint


def test_root_of_a_container_with_few_ids(stand_ins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each probe that would need them says so, in the same words."""
    (tmp_path / "map").write_text("0 100000 65536\n")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sandbox, "_ID_MAPS", (tmp_path / "map",))
    lacking = [found for found in host.examine([tmp_path]) if not found.present]
    assert [found.name for found in lacking] == ["user ids", "bubblewrap", "overlay"]
    assert {found.detail[:46] for found in lacking} == {"root does not have the user and group ids 1878"}
    assert {found.hint[:22] for found in lacking} == {"Rebuild outside of it,"}


def test_a_user_without_subordinate_ids(stand_ins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins.add("unshare", "echo 'no line matching user' >&2; exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = finding("user ids", tmp_path)
    assert found.detail.startswith(
        "this user does not have the ids that builds need: unshare failed with exit status 1"
    )
    assert "no line matching user" in found.detail
    assert found.hint.startswith("Give the user subordinate ids: usermod --add-subuids ")


def test_a_user_without_the_program_that_gives_ids(
    stand_ins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids that are there do not help without it."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    found = finding("user ids", tmp_path)
    assert (found.present, found.installable, found.hint) == (False, True, "")
    assert "'newuidmap' is not installed" in found.detail


def test_a_kernel_without_overlays_in_user_namespaces(stand_ins: StandIns, tmp_path: Path) -> None:
    stand_ins.add("bwrap", 'case $* in *overlay*) echo "mount: permission denied" >&2; exit 1 ;; esac; echo "bwrap 1"')
    found = finding("overlay", tmp_path / "not" / "yet")
    assert (found.present, found.installable) == (False, False)
    problem = "no overlay can be mounted in a user namespace: (bwrap|unshare) failed with exit status 1"
    assert re.match(problem, found.detail)
    assert "permission denied" in found.detail
    assert "Linux 5.11" in found.hint
    assert not [path for path in tmp_path.iterdir() if "doctor" in path.name]


def test_what_makes_no_sandbox_is_no_fault_of_the_kernel_or_the_disk(
    stand_ins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins.add("bwrap", 'case $1 in --version) echo "bwrap 1" ;; *) echo "no namespaces" >&2; exit 1 ;; esac')
    bubblewrap, overlay = finding("bubblewrap", tmp_path), finding("overlay", tmp_path)
    assert (overlay.detail, overlay.hint) == (bubblewrap.detail, bubblewrap.hint)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    missing = finding("overlay", tmp_path)
    assert (missing.present, missing.installable, missing.hint) == (False, True, "")
    assert "'bwrap' is not installed" in missing.detail


@pytest.mark.parametrize("need", ["bubblewrap", "overlay"])
def test_a_probe_that_was_ended_says_nothing_of_what_the_host_allows(
    need: str, stand_ins: StandIns, tmp_path: Path
) -> None:
    """As one is where memory is short, or after a minute; here it prints too much."""
    stand_ins.add("bwrap", 'case $1 in --version) echo "bwrap 1" ;; *) exec /usr/bin/yes ;; esac')
    found = finding(need, tmp_path)
    assert (found.present, found.installable) == (False, False)
    assert found.hint == "End other programs, which leave this one no time or no memory, and run this again."


def test_this_host_has_overlays(tmp_path: Path) -> None:
    require("bwrap")
    assert finding("overlay", tmp_path).detail == "can be mounted in a user namespace"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_keyring(stand_ins: StandIns, tmp_path: Path) -> None:
    (tmp_path / "keyring.gpg").unlink()
    found = finding("archive keyring", tmp_path)
    assert (found.present, found.installable) == (False, True)
    assert found.detail == f"{tmp_path}/keyring.gpg is not there"


def test_too_little_disk(stand_ins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "FREE_BYTES", 1 << 60)
    found = finding("disk", tmp_path / "not" / "yet")
    assert not found.present
    assert found.detail.endswith(f" free in {tmp_path}, expected 1073741824.0 GiB")
    assert found.hint == f"Free some space on the disk of {tmp_path}."


def test_too_little_memory(stand_ins: StandIns, tmp_path: Path) -> None:
    memory(tmp_path, kilobytes=1 << 20)
    found = finding("memory", tmp_path)
    assert not found.present
    assert found.detail == "1.0 GiB of memory, expected 3.0 GiB"


@pytest.mark.parametrize(
    ("own", "folder", "files"),
    [
        ("0::/\n", "", ("memory.max", "memory.current")),
        ("0::/a.slice/b.scope\n", "a.slice", ("memory.max", "memory.current")),
        ("0::/a.slice/b.scope\n", "a.slice/b.scope", ("memory.max", "memory.current")),
        ("0::/not/here/../..\n", "", ("memory.max", "memory.current")),
        ("3:cpu:/x\n2:memory:/a\n", "memory/a", ("memory.limit_in_bytes", "memory.usage_in_bytes")),
    ],
)
def test_a_control_group_that_limits_memory(
    stand_ins: StandIns, tmp_path: Path, own: str, folder: str, files: tuple[str, str]
) -> None:
    """Linux Documentation/admin-guide/cgroup-v2.rst: a group is limited by those around it too."""
    (tmp_path / "own groups").write_text(own)
    place = tmp_path / "groups" / folder
    place.mkdir(parents=True)
    (place / files[0]).write_text(f"{1 << 30}\n")
    (place / files[1]).write_text(f"{900 << 20}\n")
    (place / "memory.stat").write_text(f"anon 5\ninactive_file {700 << 20}\ntotal_inactive_file {700 << 20}\n")
    found = finding("memory", tmp_path)
    assert not found.present
    assert found.detail == "1.0 GiB of memory, which a control group allows, expected 3.0 GiB"
    assert found.hint == "Raise the limit to 4 GB or more."
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n")
    assert memories.memory(tmp_path / "meminfo") == memories.Memory(1 << 30, (1024 - 900 + 700) << 20, is_limited=True)


@pytest.mark.parametrize("most", ["max", "9223372036854771712"])
def test_a_control_group_without_a_limit(stand_ins: StandIns, tmp_path: Path, most: str) -> None:
    (tmp_path / "own groups").write_text("0::/\n")
    (tmp_path / "groups").mkdir()
    (tmp_path / "groups" / "memory.max").write_text(f"{most}\n")
    (tmp_path / "groups" / "memory.current").write_text("5\n")
    assert finding("memory", tmp_path).present


def test_a_read_only_folder(stand_ins: StandIns, tmp_path: Path) -> None:
    """As HOME of a service, or a mounted medium: root may not write there either."""
    code = (
        "import sys, pathlib, json; sys.path[:0] = json.loads(sys.argv[2])\n"
        "from teekit_verify.rebuild import host\n"
        "place = pathlib.Path(sys.argv[1])\n"
        "print(json.dumps({found.name: found.detail for found in host.examine([place / 'cache']) if not found.present}))"
    )
    program = require_real("unshare")
    (tmp_path / "ro").mkdir()
    mounting = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$2" -c "$3" "$1" "$4"'
    argv = [program, *ROOT_OF_ITS_OWN, "--mount", "/bin/sh", "-c", mounting, "sh"]
    argv += [str(tmp_path / "ro"), sys.executable, code, json.dumps(sys.path)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, env={"PATH": os.defpath})
    assert ended.returncode == 0, ended.stderr
    lacking = json.loads(ended.stdout)
    assert lacking["folders"] == f"{tmp_path}/ro cannot be written: Read-only file system"
    assert lacking["overlay"] == lacking["folders"]


def test_what_keeps_a_program_waiting_does_not_keep_us(stand_ins: StandIns, tmp_path: Path) -> None:
    """unshare(1) of util-linux 2.38 leaves a child that waits for ever for the namespace that its parent may not make."""
    stand_ins.add(
        "bwrap", f'case $1 in --version) echo "bwrap 1"; exit ;; esac; sleep 1000 & echo $! >>{tmp_path}/left; exit 1'
    )
    assert [finding(name, tmp_path).present for name in ("bubblewrap", "overlay")] == [False, False]
    for pid in (tmp_path / "left").read_text().split():
        stat = Path("/proc", pid, "stat")
        while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)


SUBORDINATE = "first:100000:65536\nsecond:165536:65536\nbroken:x:y\n\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("", ""), 100_000),
        ((SUBORDINATE, SUBORDINATE), 231_072),
        (("a:100000:65536\n", "b:165536:65536\n"), 231_072),
        (("a:300000:65536\n", ""), 100_000),
        (("a:150000:65536\n", ""), 215_536),
    ],
)
def test_the_range_that_is_advised_is_nobody_elses(
    stand_ins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[str, str], expected: int
) -> None:
    """What usermod(8) itself does not look at: ranges given with --add-subuids may overlap those of others."""
    for name, text in zip(("subuid", "subgid"), files, strict=True):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(subordinate, "FILES", (tmp_path / "subuid", tmp_path / "subgid"))
    monkeypatch.setattr(pwd, "getpwall", list)
    stand_ins.add("unshare", "echo 'no line matching user' >&2; exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    ids = f"{expected}-{expected + 65535}"
    assert f": usermod --add-subuids {ids} --add-subgids {ids} nobody, as root." in finding("user ids", tmp_path).hint


def test_a_store_that_is_not_written_to_may_be_anybodys(stand_ins: StandIns, tmp_path: Path) -> None:
    stand_ins.add("nix", 'case $1 in --version) echo "nix 2" ;; *) exit 1 ;; esac')
    findings = host.examine([tmp_path])
    assert [found.name for found in findings if not found.present] == ["nix"]
    assert [found.detail for found in host.without_store(findings) if found.name == "nix"] == ["nix 2"]
    assert host.can_rebuild(host.without_store(findings))
    host.require([tmp_path], needs_store=False)
    with pytest.raises(TeekitError, match="nix 2 cannot add to its store"):
        host.require([tmp_path], needs_store=True)


def test_memory_is_asked_for_before_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memories, "OWN_GROUPS", tmp_path / "none")
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 2097152 kB\n")
    host.require_memory(1)
    with pytest.raises(TeekitError) as caught:
        host.require_memory(2)
    assert caught.value.message == "2.0 GiB of memory are available, expected 3.0 GiB"
    assert caught.value.hint == "End other programs, or build without --parallel."
    (tmp_path / "meminfo").write_text("MemTotal: 9000000 kB\nMemAvailable: 10240 kB\n")
    with pytest.raises(TeekitError) as caught:
        host.require_memory(1)
    assert caught.value.hint == "End other programs, or use a larger machine."
