"""File systems made by their own tools, of two trees that differ in one planted thing."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.blobs import blob_of
from builders.explain import explained, named
from builders.trees import TIME, Maker, erofs, extfs, settle, squashfs, tree
from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.erofs import Erofs
from teekit_verify.artifacts.extfs import ExtFs
from teekit_verify.artifacts.filetree import Node
from teekit_verify.artifacts.squashfs import Squashfs
from teekit_verify.core.errors import TeekitError

SQUASHFS = [("-comp", name) for name in ("gzip", "xz", "zstd", "lz4", "lzma")]
EROFS = [
    (),
    ("-zlz4hc",),
    ("-zlz4hc", "-C65536"),
    ("-zlz4", "-Eztailpacking"),
    ("-zlz4", "-Efragments"),
    ("-zlz4", "-Elegacy-compress"),
    ("--chunksize=4096",),
]
EXTFS = [
    ("-t", "ext4"),
    ("-t", "ext2"),
    ("-t", "ext3", "-b", "1024"),
    ("-t", "ext4", "-O", "inline_data,ea_inode", "-I", "512"),
]
IMAGES: list[tuple[Maker, type[Squashfs | Erofs | ExtFs], tuple[str, ...]]] = [
    *((squashfs, Squashfs, options) for options in SQUASHFS),
    *((erofs, Erofs, options) for options in EROFS),
    *((extfs, ExtFs, options) for options in EXTFS),
]
CAP_NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)


def nodes(image: Squashfs | Erofs | ExtFs) -> dict[str, Node]:
    return {file.name: file.node for file in image.files()}


def read_all(reader: type[Squashfs | Erofs | ExtFs], blob: Blob) -> None:
    for node in nodes(reader(blob)).values():
        for _ in node.content():
            pass


def set_xattr(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError:
        pytest.skip("this file system, or whoever runs the test, has no such attributes")


@pytest.mark.parametrize(("make", "reader", "options"), IMAGES)
def test_every_file_is_read_as_it_was_written(
    tmp_path: Path, make: Maker, reader: type[Squashfs | Erofs | ExtFs], options: tuple[str, ...]
) -> None:
    source = tree(tmp_path / "tree")
    settle(source)
    blob = blob_of(make(source, tmp_path / "image", *options))
    found = nodes(reader(blob))
    found.pop("lost+found", None)
    assert sorted(found) == sorted([".", *(str(path.relative_to(source)) for path in source.rglob("*"))])
    for name, node in found.items():
        path = source / name
        status = path.lstat()
        assert node.mode == status.st_mode
        assert node.mtime == TIME * 10**9
        assert node.target == (str(path.readlink()) if path.is_symlink() else "")
        if stat.S_ISREG(status.st_mode):
            content = hashlib.sha256(b"".join(node.content())).digest()
            assert (content, node.links) == (hashlib.sha256(path.read_bytes()).digest(), status.st_nlink), name
    assert found["big"].inode == found["etc/same"].inode
    os.close(blob.descriptor)


def content(source: Path) -> None:
    (source / "etc/conf").write_bytes(b"world\n")


def mode(source: Path) -> None:
    (source / "etc/conf").chmod(0o600)


def target(source: Path) -> None:
    (source / "etc/link").unlink()
    (source / "etc/link").symlink_to("elsewhere")


def presence(source: Path) -> None:
    (source / "etc/added").write_bytes(b"new\n")


def link(source: Path) -> None:
    (source / "etc/same").unlink()
    (source / "etc/same").write_bytes((source / "big").read_bytes())


def attribute(source: Path) -> None:
    set_xattr(source / "etc/conf", "user.note", b"here")


def capability(source: Path) -> None:
    set_xattr(source / "etc/conf", "security.capability", CAP_NET_RAW)


def pipe(source: Path) -> None:
    (source / "etc/conf").unlink()
    os.mkfifo(source / "etc/conf")


PLANTS = [
    (content, "etc/conf", "text, 1 different line"),
    (mode, "etc/conf", "mode"),
    (target, "etc/link", "symlink to another place"),
    (presence, "etc/added", "only in B"),
    (link, "etc/same", "is the same file as"),
    (attribute, "etc/conf", "attribute user.note"),
    (capability, "etc/conf", "capability"),
    (pipe, "etc/conf", "is another kind of file"),
]


@pytest.mark.parametrize("make", [squashfs, erofs, extfs])
@pytest.mark.parametrize(("plant", "name", "what"), PLANTS)
def test_a_planted_difference(tmp_path: Path, make: Maker, plant: object, name: str, what: str) -> None:
    source = tree(tmp_path / "tree")
    settle(source)
    one = make(source, tmp_path / "image")
    assert callable(plant)
    plant(source)
    settle(source)
    found = explained(tmp_path, one, make(source, tmp_path / "image"), name="root")
    assert (name, what) in [(leaf, said) for leaf, said, _, _ in told(found.differences)]
    assert found.notices == ()


def told(differences: object) -> Iterator[tuple[str, str, str, str]]:
    assert isinstance(differences, tuple)
    for difference in differences:
        yield difference.name, difference.what, difference.a, difference.b
        yield from told(difference.children)


@pytest.mark.parametrize("make", [squashfs, extfs])  # mkfs.erofs keeps no times of its own with -T
def test_times_are_one_line(tmp_path: Path, make: Maker) -> None:
    source = tree(tmp_path / "tree")
    settle(source)
    one = make(source, tmp_path / "image")
    for path in (source / "many").iterdir():
        os.utime(path, (TIME + 60, TIME + 60))
    found = explained(tmp_path, one, make(source, tmp_path / "image"), name="root")
    (times,) = [one for one in found.differences[0].children if one.name == "modification time of 300 entries"]
    assert [cause.name for cause in times.causes] == ["time stamp"]
    # date --utc --date=@1763874060
    assert times.children[0].b == "2025-11-23 05:01:00 UTC"


def test_a_capability_by_its_name(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    settle(source)
    one = squashfs(source, tmp_path / "image")
    capability(source)
    found = explained(tmp_path, one, squashfs(source, tmp_path / "image"), name="root")
    # getcap(8) of that file: cap_net_raw=ep
    assert ("etc/conf", "capability", "none", "cap_net_raw=ep") in list(told(found.differences))
    assert ("etc/conf", ["capability"]) in named(found)


def test_an_attribute_has_its_cause(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    settle(source)
    one = erofs(source, tmp_path / "image")
    attribute(source)
    found = explained(tmp_path, one, erofs(source, tmp_path / "image"), name="root")
    assert ("etc/conf", ["extended attribute"]) in named(found)


def test_what_no_file_shows_is_never_equal(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    settle(source)
    image = bytearray(extfs(source, tmp_path / "image"))
    other = bytearray(image)
    other[-1] ^= 1
    found = explained(tmp_path, bytes(image), bytes(other), name="root")
    (outside,) = found.differences[0].children
    assert outside.name == "outside of the files"
    assert outside.what.startswith("every file is equal; ")


@pytest.mark.parametrize(("make", "reader"), [(squashfs, Squashfs), (erofs, Erofs), (extfs, ExtFs)])
def test_an_image_that_is_cut_off(tmp_path: Path, make: Maker, reader: type[Squashfs | Erofs | ExtFs]) -> None:
    source = tree(tmp_path / "tree")
    settle(source)
    image = make(source, tmp_path / "image")
    for size in (100, 1500, 6000):
        blob = blob_of(image[:size])
        with pytest.raises(TeekitError):
            read_all(reader, blob)
        os.close(blob.descriptor)


def test_a_file_system_that_is_not_read_says_so_first(tmp_path: Path) -> None:
    for name, at, magic in (("XFS", 0, b"XFSB"), ("btrfs", 0x10040, b"_BHRfS_M"), ("ISO 9660", 0x8001, b"CD001")):
        one, other = (bytes(at) + magic + bytes(70_000) + end for end in (b"a", b"b"))
        found = explained(tmp_path, one, other, name="root")
        assert found.differences
        assert found.notices[-1].startswith(f"{name}: ")
        assert found.notices[-1].endswith(": root is compared byte by byte")


def test_damage_is_no_equality(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    settle(source)
    image = squashfs(source, tmp_path / "image")
    found = explained(tmp_path, image, image[:5000], name="root")
    assert found.differences
    assert found.notices[0].startswith("squashfs: ")
    assert found.notices[0].endswith(": root is compared byte by byte")


def test_equal_files_of_a_squashfs_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is what counts: of a hundred files in blocks of their own, those of the one that differs are unpacked."""
    source, sides = tmp_path / "tree", []
    source.mkdir()
    for number in range(100):
        (source / f"file-{number}").write_bytes(b"%d of many\n" % number * 9000)
    for text in (b"one", b"two"):
        (source / "file-50").write_bytes(b"0 of many\n" * 9000 + text)
        settle(source)
        sides.append(squashfs(source, tmp_path / "image", "-no-fragments"))
    unpacked, exactly = [], Squashfs._exactly

    def counted(self: Squashfs, data: bytes, wanted: int) -> bytes:
        """Every block passes through it."""
        unpacked.append(wanted)
        return exactly(self, data, wanted)

    monkeypatch.setattr(Squashfs, "_exactly", counted)
    assert named(explained(tmp_path, *sides, name="root")) == [("file-50", [])]
    assert 0 < len(unpacked) < 10
