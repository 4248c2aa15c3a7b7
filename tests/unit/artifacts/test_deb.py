"""Debian packages as dpkg-deb makes them, and damaged ones."""

from __future__ import annotations

import gzip
import hashlib
import io
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from builders.tools import require
from teekit_verify.artifacts import deb
from teekit_verify.core.errors import MalformedInputError, TeekitError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = (
    "hello (2.10-3) trixie; urgency=medium\n\n  * A change.\n\n -- A <a@example.org>  Sat, 21 Nov 2026 02:10:46 +0000\n"
)
LONG = "usr/share/" + "a-long-name/" * 15


def make(folder: Path, *, name: str = "changelog.Debian.gz", compression: str = "xz", text: str = TEXT) -> Path:
    tree, made = folder / "tree", folder / "made.deb"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: hello\nSource: greetings (1:2.10-3)\nVersion: 2.10-3+b1\nArchitecture: amd64\n"
        "Maintainer: A <a@example.org>\nDescription: says hello\n and more: of it\n"
    )
    place = tree / "usr/share/doc/hello"
    place.mkdir(parents=True)
    (place / "a").write_bytes(b"x" * 700)
    (tree / LONG).mkdir(parents=True)
    (tree / LONG / "file").write_bytes(b"y" * 512)
    (place / name).write_bytes(gzip.compress(text.encode(), mtime=0))
    argv = [require("dpkg-deb"), "--root-owner-group", f"-Z{compression}", "--build", str(tree), str(made)]
    subprocess.run(argv, check=True, capture_output=True)
    return made


@pytest.mark.parametrize("compression", ["xz", "gzip", "zstd", "none"])
@pytest.mark.parametrize("name", ["changelog.Debian.gz", "changelog.gz"])
def test_fields_and_changelog(tmp_path: Path, compression: str, name: str) -> None:
    made = make(tmp_path, name=name, compression=compression)
    fields = deb.control_fields(made)
    assert (fields["Package"], fields["Source"], fields["Version"]) == ("hello", "greetings (1:2.10-3)", "2.10-3+b1")
    assert fields["Description"] == "says hello"
    assert deb.changelog(made, "hello") == TEXT


def test_a_package_without_a_changelog_of_its_own(tmp_path: Path) -> None:
    assert deb.changelog(make(tmp_path, name="NEWS.gz"), "hello") is None


def test_another_packages_changelog_is_not_taken(tmp_path: Path) -> None:
    assert deb.changelog(make(tmp_path), "hell") is None


def test_what_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"PK\3\4")
    with pytest.raises(MalformedInputError) as caught:
        deb.control_fields(tmp_path / "x")
    assert caught.value.message == "deb: magic at offset 0x0: it does not begin as an ar archive"


def test_a_package_that_is_cut_off(tmp_path: Path) -> None:
    whole = make(tmp_path).read_bytes()
    for size_bytes in range(8, len(whole) - 1, 41):
        (tmp_path / "cut").write_bytes(whole[:size_bytes])
        try:
            found = deb.changelog(tmp_path / "cut", "hello")
        except TeekitError:
            continue
        assert found == TEXT  # what is truncated follows it
        assert size_bytes > len(whole) - 400


def test_a_changelog_that_is_a_bomb(tmp_path: Path) -> None:
    made = make(tmp_path, text="\n" * (17 << 20))
    with pytest.raises(MalformedInputError, match="unpacks to more than 16777216 bytes"):
        deb.changelog(made, "hello")


def ar(*members: tuple[str, bytes]) -> bytes:
    """Ar(5)."""
    whole = b"!<arch>\n"
    for name, content in members:
        whole += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        whole += b"\n" * (len(content) % 2)
    return whole


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("n" * 5000))
    (tmp_path / "x.deb").write_bytes(ar(("debian-binary", b"2.0\n"), ("control.tar", content.getvalue())))
    with pytest.raises(MalformedInputError, match="long name at offset 0x0: 5001 bytes are too many"):
        deb.control_fields(tmp_path / "x.deb")


def test_without_a_control_file(tmp_path: Path) -> None:
    (tmp_path / "x.deb").write_bytes(ar(("debian-binary", b"2.0\n"), ("control.tar", bytes(1024))))
    with pytest.raises(MalformedInputError, match="it has no file `control`"):
        deb.control_fields(tmp_path / "x.deb")
    (tmp_path / "y.deb").write_bytes(ar(("debian-binary", b"2.0\n")))
    with pytest.raises(MalformedInputError, match="there is no such member"):
        deb.changelog(tmp_path / "y.deb", "x")


def test_files_are_those_that_dpkg_deb_unpacks(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    place = tree / "usr/bin"
    made = make(tmp_path, name="changelog.gz")
    place.mkdir(parents=True)
    (place / "tool").write_bytes(b"z" * 1000)
    (place / "tool").chmod(0o4755)
    (place / "same").hardlink_to(place / "tool")
    (place / "link").symlink_to("../" * 40 + "target")
    subprocess.run([require("dpkg-deb"), "--root-owner-group", "--build", tree, made], check=True, capture_output=True)
    found = {file.name: file for file in deb.files(made, kept=lambda name: name.endswith("/file"))}
    subprocess.run([require("dpkg-deb"), "-x", made, tmp_path / "unpacked"], check=True)
    unpacked = {path.relative_to(tmp_path / "unpacked").as_posix(): path for path in (tmp_path / "unpacked").rglob("*")}
    assert set(found) - {"", "."} == set(unpacked)
    kinds = {name: file.kind for name, file in found.items()}
    assert (kinds["usr/bin"], kinds["usr/bin/link"]) == (deb.FileKind.DIRECTORY, deb.FileKind.SYMLINK)
    assert {kinds["usr/bin/tool"], kinds["usr/bin/same"]} == {deb.FileKind.FILE, deb.FileKind.HARD_LINK}
    assert found["usr/bin/link"].target == "../" * 40 + "target"
    for name, path in unpacked.items():
        if kinds[name] is deb.FileKind.FILE:
            assert found[name].digest == hashlib.sha256(path.read_bytes()).digest()
            assert (found[name].mode, found[name].owner) == (path.stat().st_mode & 0o7777, (0, 0))
    assert {name for name, file in found.items() if file.content is not None} == {f"{LONG.rstrip('/')}/file"}
