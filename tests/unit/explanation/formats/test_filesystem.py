"""File systems made by their own tools, of two trees that differ in one planted thing."""

from __future__ import annotations

import hashlib
import os
import random
import stat
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from builders.blobs import blob_of
from builders.explain import explained, named
from builders.tools import require
from builders.trees import TIME, Maker, erofs, extfs, settle, squashfs, tree
from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.erofs import Erofs
from teekit_verify.artifacts.extfs import ExtFs
from teekit_verify.artifacts.filetree import Node
from teekit_verify.artifacts.squashfs import Squashfs
from teekit_verify.core.errors import TeekitError
from teekit_verify.explanation.tree import Kind, leaves

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
    assert [leaf.difference.kind for leaf in leaves(found.differences)] == [Kind.NOT_COMPARED]
    assert not found.is_compared
    assert next(leaves(found.differences)).difference.what.startswith("not compared: B cannot be read: squashfs: ")
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


def _ext4(tmp_path: Path) -> bytes:
    source = tree(tmp_path / "tree")
    settle(source)
    return extfs(source, tmp_path / "image", "-t", "ext4", "-O", "metadata_csum")


def test_what_follows_from_a_uuid_is_told_as_such(tmp_path: Path) -> None:
    """tune2fs writes the checksums anew, as they begin with the UUID (ext4, "Checksums"), and nothing else."""
    image = _ext4(tmp_path)
    environment = {**os.environ, "E2FSPROGS_FAKE_TIME": str(TIME)}
    argv = [require("tune2fs"), "-f", "-U", "00000000-1111-4222-8333-444444444444", str(tmp_path / "image")]
    subprocess.run(argv, check=True, capture_output=True, env=environment)
    other = (tmp_path / "image").read_bytes()
    found = {leaf.path[-1]: leaf.difference for leaf in leaves(explained(tmp_path, image, other).differences)}
    assert found.keys() == {"UUID", "outside of the files"}
    assert found["outside of the files"].kind is Kind.METADATA
    assert "follows from the IDs of the ext4" in found["outside of the files"].what
    end = bytearray(other)
    end[-4096:] = b"not zero" * 512  # free space, which no UUID explains
    found = {leaf.path[-1]: leaf.difference for leaf in leaves(explained(tmp_path, image, bytes(end)).differences)}
    assert found["outside of the files"].kind is Kind.CONTENT


def test_a_checksum_alone_is_named(tmp_path: Path) -> None:
    """s_checksum is the last number of the superblock, which ends at 2048."""
    image = _ext4(tmp_path)
    other = image[:2044] + bytes(byte ^ 0xFF for byte in image[2044:2048]) + image[2048:]
    (leaf,) = leaves(explained(tmp_path, image, other).differences)
    assert (leaf.path[-1], leaf.difference.a) == ("checksum of the superblock", image[2044:2048].hex())


def test_one_damaged_file_does_not_hide_the_others(tmp_path: Path) -> None:
    """The compressed block of one file is damaged; another one differs."""
    source = tmp_path / "tree"
    source.mkdir()
    (source / "broken").write_bytes(
        random.Random(1).randbytes(70_000)  # noqa: S311 - test data
        + b"zero" * 10_000
    )
    (source / "other").write_bytes(b"one\n")
    settle(source)
    one = squashfs(source, tmp_path / "one", "-comp", "xz", "-no-fragments")
    (source / "other").write_bytes(b"two\n")
    settle(source)
    image = bytearray(squashfs(source, tmp_path / "two", "-comp", "xz", "-no-fragments"))
    image[50_000] ^= 0x10  # files come first, in the order of their names
    found = {leaf.path[-1]: leaf.difference for leaf in leaves(explained(tmp_path, one, bytes(image)).differences)}
    assert found["broken"].kind is Kind.NOT_COMPARED
    assert found["broken"].what.startswith("not compared: B cannot be read: squashfs: ")
    assert found["other"].kind is Kind.CONTENT


def test_long_prefixes_of_attributes(tmp_path: Path) -> None:
    """erofs_fs.h: bit 7 of the index, prefixes of a length, an index and what follows it. An attribute is written so by hand."""
    source = tmp_path / "tree"
    source.mkdir()
    (source / "file").write_bytes(b"x")
    set_xattr(source / "file", "user.note", b"one")
    settle(source)
    image = bytearray(erofs(source, tmp_path / "image", "-x100"))  # -x: how often it occurs before it is shared
    at = image.index(b"\x04\x01\x03\x00noteone")
    image[at : at + 12] = b"\x02\x80\x03\x00teone".ljust(12, b"\0")
    image[1024 + 91] = 1
    image[1024 + 92 : 1024 + 96] = struct.pack("<I", len(image) // 4)
    image[1024 + 80] |= 0x40
    image += struct.pack("<HB", 3, 1) + b"no"
    assert nodes(Erofs(blob_of(bytes(image))))["file"].xattrs == (("user.note", b"one"),)
    image[at + 1] = 0x81
    with pytest.raises(TeekitError, match="has the prefix 1 of 1"):
        nodes(Erofs(blob_of(bytes(image))))


def test_a_device_of_another_kind(tmp_path: Path) -> None:
    source = tmp_path / "tree"
    source.mkdir()
    images = []
    for kind in ("c", "b"):
        pseudo = f"dev {kind} 660 0 0 8 1"
        images.append(squashfs(source, tmp_path / kind, "-p", pseudo, "-root-time", str(TIME)))
    rows = [leaf.difference for leaf in leaves(explained(tmp_path, *images).differences) if leaf.path[-1] == "dev"]
    assert [(row.what, row.a, row.b) for row in rows] == [
        ("is another kind of file", "character device", "block device")
    ]


def test_the_mode_of_another_kind_of_file_is_nobodys_umask(tmp_path: Path) -> None:
    images = []
    for number in (1, 2):
        source = tmp_path / str(number)
        (source / "there").mkdir(parents=True)
        if number == 1:
            (source / "here").symlink_to("there")
        else:
            (source / "here").mkdir(mode=0o755)
        settle(source)
        images.append(squashfs(source, tmp_path / f"{number}.image"))
    rows = [leaf.difference for leaf in leaves(explained(tmp_path, *images).differences) if leaf.path[-1] == "here"]
    assert [(row.what, row.a, row.b, row.causes) for row in rows] == [
        ("is another kind of file", "symlink", "directory", ())
    ]
