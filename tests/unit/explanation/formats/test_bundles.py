"""Packages and libraries made by tar, ar, dpkg-deb's parts and zip, each with one thing planted."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from builders import plants, trees
from builders.explain import explained, named, packed
from builders.tools import require
from teekit_verify.artifacts.bundle import BundleMember
from teekit_verify.explanation.explain import explain
from teekit_verify.explanation.formats import bundles
from teekit_verify.explanation.tree import Kind, leaves

T1, T2 = 1_763_874_000, 1_763_874_917


def tarball(
    *names: str, mtime: int = 0, uid: int = 0, mode: int = 0o644, content: bytes = b"data", uname: str = "root"
) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as file:
        for name in names or ("a", "b"):
            member = tarfile.TarInfo(name)
            member.mtime, member.uid, member.mode, member.uname, member.size = mtime, uid, mode, uname, len(content)
            file.addfile(member, io.BytesIO(content))
    return stream.getvalue()


LONG = "deep/" * 30 + "name"


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (tarball(mtime=T1), tarball(mtime=T2), [("a", ["time stamp"]), ("b", ["time stamp"])]),
        (tarball("a", "b"), tarball("b", "a"), [("order of the members", ["file order"])]),
        (tarball("a"), tarball("a", uid=1000, uname="me"), [("a", ["user or group"])]),
        (tarball("a"), tarball("a", mode=0o664), [("a", ["umask"])]),
        (tarball("a"), tarball("a", "var/log/x"), [("var/log/x", ["log file"])]),
        (tarball(LONG, content=b"at 05:01\n"), tarball(LONG, content=b"at 05:17\n"), [(LONG, ["time stamp"])]),
    ],
)
def test_tarballs(tmp_path: Path, a: bytes, b: bytes, expected: list[tuple[str, list[str]]]) -> None:
    assert named(explained(tmp_path, a, b, name="x.tar")) == expected
    found = explained(tmp_path, packed(a, "xz"), packed(b, "xz"), name="x.tar.xz")
    assert named(found) == expected


def library(folder: Path, *names: str, flags: str = "qcU", mtime: int = 0) -> bytes:
    (folder / "x.a").unlink(missing_ok=True)
    for name in names:
        (folder / name).write_bytes(name.encode() * 9)
        os.utime(folder / name, (mtime, mtime))
    subprocess.run([require("ar"), flags, "x.a", *names], cwd=folder, check=True, capture_output=True)
    return (folder / "x.a").read_bytes()


def test_libraries(tmp_path: Path) -> None:
    long = "a-name-of-more-than-16.o"
    one, other = (library(tmp_path, long, mtime=time) for time in (T1, T2))
    assert named(explained(tmp_path, one, other, name="x.a")) == [(long, ["time stamp"])]
    one, other = (library(tmp_path, *names, flags="qcD") for names in (("a.o", "b.o"), ("b.o", "a.o")))
    assert named(explained(tmp_path, one, other, name="x.a")) == [("order of the members", ["file order"])]


def test_a_package_packed_by_another_compressor(tmp_path: Path) -> None:
    """dpkg-deb names its parts by how they are packed: a file in them is found all the same."""
    sides = []
    for compressor, text in (("gzip", "one\n"), ("xz", "one\n"), ("xz", "two\n")):
        package = tmp_path / f"{compressor} {text.strip()}"
        (package / "DEBIAN").mkdir(parents=True)
        (package / "DEBIAN/control").write_text(
            "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: x\n"
        )
        (package / "greeting").write_text(text)
        for path in (package, package / "DEBIAN", package / "DEBIAN/control", package / "greeting"):
            path.chmod(0o755 if path.is_dir() else 0o644)
            os.utime(path, (T1, T1))
        argv = [
            require("dpkg-deb"),
            "--root-owner-group",
            f"-Z{compressor}",
            "-b",
            str(package),
            str(tmp_path / "x.deb"),
        ]
        subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(T1)})
        sides.append((tmp_path / "x.deb").read_bytes())
    rows = named(explained(tmp_path, sides[0], sides[1], name="x.deb"))
    assert rows == [("compression", ["compression"])] * 2
    found = explained(tmp_path, sides[0], sides[2], name="x.deb")
    assert "./greeting" in [name for name, _ in named(found)]
    assert [leaf.path[1] for leaf in leaves(found.differences) if leaf.path[-1] == "./greeting"] == ["data.tar"]


def zipped(*names: str, day: int = 1, content: bytes = b"data" * 99, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name in names or ("m/a.class",):
            file.writestr(zipfile.ZipInfo(name, (2026, 11, day, 8, 13, 0)), content, method)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (zipped(day=23), zipped(day=24), [("m/a.class", ["time stamp"])]),
        (zipped("a", "b"), zipped("b", "a"), [("order of the members", ["file order"])]),
        (zipped(content=b"at 05:01\n"), zipped(content=b"at 05:17\n"), [("m/a.class", ["time stamp"])]),
        (zipped(), zipped(method=zipfile.ZIP_STORED), [("m/a.class", ["compression"])]),
    ],
)
def test_jars(tmp_path: Path, a: bytes, b: bytes, expected: list[tuple[str, list[str]]]) -> None:
    assert named(explained(tmp_path, a, b, name="x.jar")) == expected


def test_times_of_a_member_are_told(tmp_path: Path) -> None:
    (difference,) = explained(tmp_path, zipped(day=23), zipped(day=24), name="x.jar").differences[0].children
    assert (difference.what, difference.a, difference.b) == (
        "modification time",
        "2026-11-23 08:13:00",
        "2026-11-24 08:13:00",
    )


def test_many_members_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "_MAX_LOOKED_INTO", 2)
    sides = (tarball(*"abcde", content=content) for content in (b"1", b"2"))
    assert named(explained(tmp_path, *sides, name="x.tar"))[-1] == ("3 more members", [])


@pytest.mark.parametrize(
    ("a", "b", "note"),
    [
        (
            tarball()[:1030],
            tarball(mtime=T1)[:1024] + b"x" * 512,
            "tar: member header at offset 0x400: is truncated or malformed",
        ),
        (
            tarball(),
            tarball() + b"hidden",
            "tar: end of the archive at offset 0x800: something other than zeros follows",
        ),
        (tarball(), tarball()[:514], "tar: size at offset 0x7c: 4 bytes are more than there are"),
        # GNU tar: Unexpected EOF in archive
        (tarball(), tarball()[:700], "tar: last block at offset 0x2bc: is cut off"),
        (zipped()[:-30], zipped(day=2)[:-30], "zip: end of the directory at offset 0x0: is missing"),
        (b"!<arch>\n" + b"x" * 70, b"!<arch>\n" + b"y" * 70, "ar: member header at offset 0x8: is truncated"),
        (
            tarball().replace(b"0000644", b"\xff000644"),
            tarball().replace(b"00000000004\0", b"0000000004x\0"),
            "tar: number at offset 0x7c: b'0000000004x' has characters that are not digits",
        ),
    ],
)
def test_a_damaged_one_is_compared_byte_by_byte(tmp_path: Path, a: bytes, b: bytes, note: str) -> None:
    found = explained(tmp_path, a, b, name="x")
    assert note in found.notices[0]
    assert found.differences


def test_damaged_deflated_data(tmp_path: Path) -> None:
    broken = bytearray(zipped())
    broken[39] = 0xFF
    found = explained(tmp_path, zipped(), bytes(broken), name="x.jar")
    assert "cannot be unpacked" in found.notices[0]
    assert [leaf.difference.kind for leaf in leaves(found.differences)] == [Kind.NOT_COMPARED]
    assert not found.is_compared


def packed_by(method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        file.writestr(zipfile.ZipInfo("name", (2026, 1, 1, 0, 0, 0)), b"content " * 99, method)
    return stream.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_of_a_zip_file_is_noted(tmp_path: Path, method: int) -> None:
    data = packed_by(method)
    at = data.index(b"name") + 4 + 20
    damaged = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
    found = explained(tmp_path, data, damaged, name="x.zip")
    assert found.notices[0].startswith("zip: name")
    (leaf,) = leaves(found.differences)
    assert (leaf.path[-1], leaf.difference.kind) == ("name", Kind.NOT_COMPARED)
    assert leaf.difference.what.startswith("not compared: B cannot be read: zip: name")


@pytest.mark.parametrize("change", [(0, b"070708"), (6, b"8"), (59, b"000001"), (65, b"77777777777")])
def test_a_damaged_cpio_of_posix_is_noted(tmp_path: Path, change: tuple[int, bytes]) -> None:
    at, content = change
    (tmp_path / "file").write_bytes(b"one\n")
    argv = [require("cpio"), "-o", "-H", "odc", "--quiet"]
    data = subprocess.run(argv, check=True, capture_output=True, cwd=tmp_path, input=b"file").stdout
    second = data.index(b"TRAILER!!!") - 76  # the first one says what the file is
    damaged = data[: second + at] + content + data[second + at + len(content) :]
    found = explained(tmp_path, data, damaged, name="x.cpio")
    assert found.notices[0].startswith("cpio: ")
    assert found.differences[0].kind is Kind.NOT_COMPARED
    assert found.differences[0].what.startswith("not compared: B cannot be read: cpio: ")


def test_a_hard_link_in_a_cpio_of_posix(tmp_path: Path) -> None:
    argv, sides = [require("cpio"), "-o", "-H", "odc", "--reproducible", "--quiet"], []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "one").write_bytes(b"same\n")
        os.link(folder / "one", folder / "two") if number else (folder / "two").write_bytes(b"same\n")
        for name in ("one", "two"):
            os.utime(folder / name, (T1, T1))
            (folder / name).chmod(0o644)
        done = subprocess.run(argv, check=True, capture_output=True, cwd=folder, input=b"one\ntwo")
        sides.append(done.stdout)
    assert named(explained(tmp_path, *sides, name="x.cpio")) == [("one", ["hard links"]), ("two", ["hard links"])]


def test_the_name_that_gzip_stores(tmp_path: Path) -> None:
    sides = []
    for name in ("one", "two"):
        stream = io.BytesIO()
        with gzip.GzipFile(name, "wb", fileobj=stream, mtime=0) as file:
            file.write(b"same\n")
        sides.append(stream.getvalue())
    assert named(explained(tmp_path, *sides, name="x.gz")) == [("gzip file name", ["gzip file name"])]


def test_layers_of_two_oci_layouts_are_compared_by_their_place(tmp_path: Path) -> None:
    sides = []
    for text in (b"one\n", b"two\n"):
        folder = tmp_path / text.decode().strip()
        for name, content in plants.oci_layout(packed(tarball("etc/x", content=text), "gzip")).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        sides.append(folder)
    found = explain(*sides, folder=tmp_path, with_diffoscope=False)
    told = {leaf.path[1:]: [cause.name for cause in leaf.difference.causes] for leaf in leaves(found.differences)}
    assert told == {("index.json",): ["digest"], ("layer 1", "content", "etc/x"): [], ("manifest",): ["digest"]}


@pytest.mark.parametrize("index", [b"[]", b"{", b'{"manifests": [3, {"digest": 7}]}', b"[" * 100_000])
def test_a_malformed_index_leads_nowhere(tmp_path: Path, index: bytes) -> None:
    for side in "ab":
        (tmp_path / side).mkdir()
        (tmp_path / side / "oci-layout").write_bytes(b"{}")
        (tmp_path / side / "index.json").write_bytes(index)
    (tmp_path / "b/more").write_bytes(b"")
    found = explain(tmp_path / "a", tmp_path / "b", folder=tmp_path, with_diffoscope=False)
    assert [leaf.path[1:] for leaf in leaves(found.differences)] == [("more",)]


def test_a_hard_link_in_a_tarball_has_the_content_of_its_file(tmp_path: Path) -> None:
    sides = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "one").write_bytes(b"same\n")
        os.link(folder / "one", folder / "two") if number else (folder / "two").write_bytes(b"same\n")
        if number > 1:
            (folder / "one").write_bytes(b"else\n")
        trees.settle(folder)
        sides.append(plants.tar(folder))
    linked = named(explained(tmp_path, *sides[:2], name="x.tar"))
    assert ("./two", ["hard links"]) in linked
    assert ("./one", []) not in linked
    assert named(explained(tmp_path, *sides[1:], name="x.tar")) == [("./one", []), ("./two", [])]


def _tar_of(*members: tuple[str, bytes, int, int]) -> bytes:
    """By tarfile: name, type, mode, minor number."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, kind, mode, minor in members:
            row = tarfile.TarInfo(name)
            row.type, row.mode, row.devmajor, row.devminor = kind, mode, 1 if minor else 0, minor
            row.linkname = "there" if kind == tarfile.SYMTYPE else ""
            archive.addfile(row)
    return stream.getvalue()


def test_device_numbers_in_a_tar(tmp_path: Path) -> None:
    sides = [_tar_of(("dev/x", tarfile.CHRTYPE, 0o600, minor)) for minor in (3, 5)]
    (leaf,) = leaves(explained(tmp_path, *sides, name="x.tar").differences)
    assert (leaf.path[-1], leaf.difference.what) == ("dev/x", "device numbers")
    assert (leaf.difference.a, leaf.difference.b) == ("1:3", "1:5")


def test_a_folder_in_the_place_of_a_symlink_in_a_tar(tmp_path: Path) -> None:
    """Its name has a slash at the end there."""
    sides = [_tar_of(("x", tarfile.SYMTYPE, 0o777, 0)), _tar_of(("x", tarfile.DIRTYPE, 0o755, 0))]
    assert b"x/" in sides[1]
    found = list(leaves(explained(tmp_path, *sides, name="x.tar").differences))
    assert {leaf.path[-1] for leaf in found} == {"x"}
    told = {leaf.difference.what: leaf.difference for leaf in found}
    kind = told["is another kind of member"]
    assert (kind.a, kind.b) == ("symlink", "directory")
    assert "mode" not in told


def test_very_many_members_are_compared_without_keeping_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is what is found of few."""
    files = [(f"d/{number}", b"%d" % number) for number in range(40)]
    changed = [(name, b"other" if name == "d/7" else content) for name, content in files if name != "d/21"]
    changed.insert(3, ("d/new", b"new"))
    changed[-2:] = changed[:-3:-1]
    sides = [_tar_with(rows) for rows in (files, changed)]
    few = named(explained(tmp_path, *sides, name="x.tar"))
    compared: list[str] = []
    plainly = bundles._is_equal

    def is_equal(one: BundleMember, other: BundleMember) -> bool:
        compared.append(one.name)
        return plainly(one, other)

    monkeypatch.setattr(bundles, "_is_equal", is_equal)
    monkeypatch.setattr("teekit_verify.artifacts.bundle.members_of.__kwdefaults__", {"with_sums": False, "most": 30})
    assert sorted(named(explained(tmp_path, *sides, name="x.tar"))) == sorted(few)
    assert {name for name, _ in few} == {"d/7", "d/21", "d/new", "order of the members"}
    assert len(compared) == 39


def _tar_with(files: list[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files:
            row = tarfile.TarInfo(name)
            row.size = len(content)
            archive.addfile(row, io.BytesIO(content))
    return stream.getvalue()
