"""The host's programs that read a stranger's bytes, each taken over by them: what it then can do, with a canary that tells."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders.hostile import Canaries
from builders.repositories import Repository
from builders.tools import require
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import apt_root, archive, git, programs, signed_index, tag_signature

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def tools() -> None:
    require("bwrap")


@pytest.fixture
def canaries(tmp_path: Path) -> Iterator[Canaries]:
    made = Canaries.make(tmp_path / "host")
    yield made
    assert made.sing()


def prisoner(canaries: Canaries) -> str:
    """What it finds open, a line for each; `it ran` at the end."""
    host = canaries.folder
    return f"""
seen() {{ echo "seen: $1"; }}
echo bad 2>/dev/null >{host}/passwd && seen 'a file of the host'
rm -rf {host} 2>/dev/null; touch /usr/bad 2>/dev/null && seen /usr
[ "$(id -u)" = "$(cat /proc/sys/kernel/overflowuid)" ] && seen 'no id of its own'
echo 1 2>/dev/null >/proc/sys/kernel/dmesg_restrict && seen 'a setting of the kernel'
mknod /tmp/disk b 8 0 2>/dev/null && seen 'a device'
[ "$(ls -d /proc/[0-9]* | wc -l)" -lt 16 ] || seen 'processes of the host'
ls /run/* >/dev/null 2>&1 && seen 'sockets of the host'
kill -9 {os.getpid()} 2>/dev/null
echo it ran
"""


NOTHING_OF_THE_HOST = """
[ "$(cat /etc/passwd)" = "root:x:0:0::/root:/bin/sh" ] || echo "seen: users of the host"
ls /home/* /var/* >/dev/null 2>&1 && echo "seen: files of the host"
"""
NO_NETWORK = '[ "$(grep -c : /proc/net/dev)" = 1 ] || echo "seen: a network"\n'


def test_apt(tmp_path: Path, canaries: Canaries) -> None:
    """It has the network, for the mirror; of the files, its own folder. A link that it leaves there is not followed."""
    root = tmp_path / "apt"
    mirror = tmp_path / "mirror/debian"
    mirror.mkdir(parents=True)
    apt_root.write(root, [("debian", f"file://{mirror}")], [("debian", "trixie")], ["main"], "")
    script = f"""{NOTHING_OF_THE_HOST}{prisoner(canaries)}
touch {mirror}/bad 2>/dev/null && echo "seen: the mirror"
touch /apt/lists/own && ln -s {canaries.folder}/shadow /apt/lists/x_dists_trixie_InRelease
"""
    assert apt_root.run(root, "sh", "-c", script) == "it ran\n"
    assert (root / "lists/own").exists()
    with pytest.raises(TeekitError, match="is a link"):
        archive._snapshot_time(root)
    programs.given_away(root)  # and not what the link leads to
    assert (canaries.folder / "passwd").stat().st_uid == os.geteuid()


def test_gpgv(tmp_path: Path, canaries: Canaries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        signed_index, "_CHECK", f"exec 2>&1; {NOTHING_OF_THE_HOST}{NO_NETWORK}{prisoner(canaries)}\nexit 9"
    )
    monkeypatch.setattr(apt_root, "KEYRING", tmp_path / "keyring.gpg")
    release = b"-----BEGIN PGP SIGNED MESSAGE-----\n-----BEGIN PGP SIGNATURE-----\n"
    apt_root.KEYRING.write_bytes(b"")
    with pytest.raises(TeekitError, match=r"sh failed with exit status 9; its last lines were:\n  \| it ran$"):
        signed_index.signed(release, apt_root.KEYRING)


@pytest.mark.parametrize("kind", ["gpg", "ssh-keygen"])
def test_gpg_and_ssh_keygen(tmp_path: Path, canaries: Canaries, kind: str) -> None:
    """As both are run: with the three files, and nothing to write to but memory."""
    given = tmp_path / "given"
    given.mkdir(mode=0o700)
    for name in ("key", "text", "signature"):
        (given / name).touch(mode=0o600)
    programs.opened_up(given)
    script = f"{NOTHING_OF_THE_HOST}{NO_NETWORK}{prisoner(canaries)}\nls /given; echo bad >/given/key"
    said = tag_signature._run(["sh", "-c", f"{script}; true"], given).decode()
    assert said == "it ran\nkey\nsignature\ntext\n", kind
    assert (given / "key").read_bytes() == b""


@pytest.mark.parametrize(("fills", "fetches"), [(False, False), (True, False), (True, True)])
def test_git(tmp_path: Path, canaries: Canaries, *, fills: bool, fetches: bool) -> None:
    """It sees the host's files, as a repository may lie anywhere and have parts elsewhere; it writes to none but its own."""
    repository = Repository.make(tmp_path / "theirs").folder
    script = tmp_path / "evil"
    script.write_text(f"#!/bin/sh\n{prisoner(canaries)}{'' if fetches else NO_NETWORK}touch own 2>/dev/null; true\n")
    script.chmod(0o755)
    arguments = ("-C", str(repository), "-c", f"alias.evil=!{script}", "evil")
    assert git._run(repository, *arguments, fills=fills, fetches=fetches) == b"it ran\n"
    assert (repository / "own").exists() is fills


def test_bounds_are_in_force() -> None:
    """Of one file, and of memory that a process takes: with the numbers that each of them gives."""

    def asked(script: str) -> bytes:
        bounds = ("--as=268435456", "--fsize=4096")
        return programs.run(["sh", "-c", script], bounds=bounds, timeout_seconds=600).stdout

    assert asked("ulimit -v; ulimit -f; ulimit -c") == b"262144\n8\n0\n"
    with pytest.raises(TeekitError):
        asked("head -c 5000 /dev/zero >/tmp/x")
