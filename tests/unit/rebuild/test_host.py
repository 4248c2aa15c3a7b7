"""What the host has, asked with stand-ins for nix and bubblewrap on the PATH."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from builders.standins import StandIns
from builders.tools import require
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import host, sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.rebuild.host import Finding

PROGRAMS = ["apt-get", "apt-cache", "dpkg-deb", "tar", "qemu-system-x86_64", "swtpm", "mcopy", "sfdisk", "diffoscope"]


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """A host that has everything."""
    made = StandIns.make(tmp_path / "bin")
    for name in PROGRAMS:
        made.add(name)
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


def test_a_store_that_takes_nothing(stand_ins: StandIns, tmp_path: Path) -> None:
    stand_ins.add("nix", 'case $1 in --version) echo "nix 2" ;; *) echo "permission denied" >&2; exit 1 ;; esac')
    found = finding("nix", tmp_path)
    assert (found.present, found.installable) == (False, False)
    assert found.detail.startswith("nix 2 cannot add to its store: nix failed with exit status 1")
    assert "permission denied" in found.detail
    assert "give /nix to this user" in found.hint


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
    assert {found.detail[:44] for found in lacking} == {"root has not got the user and group ids 1878"}
    assert {found.hint[:22] for found in lacking} == {"Rebuild outside of it,"}


def test_a_user_without_subordinate_ids(stand_ins: StandIns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins.add("unshare", "echo 'no line matching user' >&2; exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = finding("user ids", tmp_path)
    assert found.detail.startswith("this user cannot have the ids of builds: unshare failed with exit status 1")
    assert "no line matching user" in found.detail
    assert found.hint.startswith("Give the user subordinate ids: usermod --add-subuids ")


def test_a_kernel_without_overlays_in_user_namespaces(stand_ins: StandIns, tmp_path: Path) -> None:
    stand_ins.add("bwrap", 'case $* in *overlay*) echo "mount: permission denied" >&2; exit 1 ;; esac; echo "bwrap 1"')
    found = finding("overlay", tmp_path / "not" / "yet")
    assert (found.present, found.installable) == (False, False)
    problem = "no overlay can be mounted in a user namespace: (bwrap|unshare) failed with exit status 1"
    assert re.match(problem, found.detail)
    assert "permission denied" in found.detail
    assert "Linux 5.11" in found.hint
    assert not [path for path in tmp_path.iterdir() if "doctor" in path.name]


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


def test_memory_is_asked_for_before_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MEMINFO", tmp_path / "meminfo")
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
