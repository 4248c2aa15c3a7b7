"""File systems as nobody's tools make them: trees that name a block again and again, lengths beyond all bounds, fields cut short."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from builders.blobs import blob_of
from builders.trees import btrfs, erofs, extfs, iso, tree, xfs
from builders.work import bounded_calls
from teekit_verify.artifacts import filetree, xfs_attributes
from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.btrfs import Btrfs
from teekit_verify.artifacts.erofs import Erofs
from teekit_verify.artifacts.extfs import ExtFs
from teekit_verify.artifacts.filetree import Node, Walk, nothing
from teekit_verify.artifacts.iso9660 import Iso9660
from teekit_verify.artifacts.xfs import Xfs
from teekit_verify.artifacts.xfs_attributes import Attributes
from teekit_verify.artifacts.xfs_extents import Extent, ExtentReader
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError

NODE = 16384
FS_TREE = 5


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("btrfs")
    source = tree(folder / "tree")
    (source / "spread").write_bytes(bytes(range(256)) * 400)
    return btrfs(source, folder / "image")


def _leaves(image: bytes) -> list[int]:
    """Of the file tree, old ones too: a node's header has the UUID at 32, its owner at 88, the number of items at 96, its level at 100."""
    found = []
    for at in range(0, len(image) - NODE, 4096):
        owner, items, level = struct.unpack_from("<QIB", image, at + 88)
        if (owner, level) == (FS_TREE, 0) and items > 1 and image[at + 32 : at + 48] == image[0x10020:0x10030]:
            found.append(at)
    assert found
    return found


def _read(image: bytes) -> None:
    for file in Btrfs(blob_of(image)).files():
        for _ in file.node.content():
            pass


def test_a_tree_of_btrfs_that_names_a_leaf_again_or_an_empty_one(made: bytes) -> None:
    """Items ascend by their keys (the "On-disk Format"): eight levels of the same pointer would be 480 to the power of 7 leaves."""
    _read(made)
    twice, empty = bytearray(made), bytearray(made)
    for leaf in _leaves(made):
        twice[leaf + 101 + 25 : leaf + 101 + 25 + 17] = made[leaf + 101 : leaf + 101 + 17]
        struct.pack_into("<I", empty, leaf + 96, 0)
    with pytest.raises(MalformedInputError, match="items out of order"):
        _read(bytes(twice))
    with pytest.raises(MalformedInputError, match="an empty node below another one"):
        _read(bytes(empty))


def _with_extents(image: bytes, **fields: int) -> bytes:
    """With other fields in the extents of the file of 102400 bytes, in what mkfs.btrfs left of older nodes too."""
    changed, places = bytearray(image), {"compression": (16, "<B"), "disk_bytenr": (21, "<Q"), "num_bytes": (45, "<Q")}
    at = image.find(bytes_unpacked := struct.pack("<Q", 102400) + bytes(4) + b"\1")
    assert at > 0
    while at > 0:
        for name, value in fields.items():
            struct.pack_into(places[name][1], changed, at - 8 + places[name][0], value)
        at = image.find(bytes_unpacked, at + 1)
    return bytes(changed)


def test_an_extent_of_btrfs_without_end(made: bytes) -> None:
    _read(_with_extents(made, disk_bytenr=0, num_bytes=1 << 63))  # a hole: it ends with the file
    with pytest.raises(MalformedInputError, match="ends after what it unpacks to"):
        _read(_with_extents(made, compression=1, num_bytes=1 << 63))


def _block(level: int, *rows: bytes, most: int = 30) -> bytes:
    """Of XFS version 4, in 512 bytes: rows of a leaf, or pointers of a node behind the room for its keys."""
    body = b"".join(rows) if not level else bytes(8 * most) + b"".join(rows)
    return (b"BMAP" + struct.pack(">HH", level, len(rows)) + bytes(16) + body).ljust(512, b"\0")


@pytest.mark.parametrize(
    ("leaf", "problem"),
    [((), "a block of the tree that is empty"), (((7 << 21 | 1).to_bytes(16, "big"),), "out of order")],
)
def test_a_tree_of_xfs_that_names_a_block_again(leaf: tuple[bytes, ...], problem: str) -> None:
    blocks = [_block(0, *leaf), *(_block(level, *[struct.pack(">Q", level - 1)] * 30) for level in range(1, 11))]
    reader = ExtentReader(blob_of(b"".join(blocks)), 512, lambda block: block * 512, is_v5=False)
    fork = struct.pack(">HH", 11, 1) + bytes(8) + struct.pack(">Q", 10)
    with pytest.raises(MalformedInputError, match=problem):
        reader.tree(fork)


def test_attributes_of_xfs_that_share_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one leaf: 60 of them, each of the 60,000 bytes that lie in the blocks after it."""
    rows = b"".join(struct.pack(">IHBx", number, 4000, 0) for number in range(60))
    leaf = bytearray(4096)
    leaf[8:10], leaf[12:14] = b"\xfb\xee", struct.pack(">H", 60)
    leaf[32 : 32 + len(rows)] = rows
    leaf[4000:4012] = struct.pack(">IIB", 1, 60_000, 3) + b"abc"
    blob = blob_of(bytes(leaf) + bytes(16 * 4096))
    attributes = Attributes(ExtentReader(blob, 4096, lambda block: block * 4096, is_v5=False), is_v5=False)
    extents = [Extent(0, 0, 17, is_unwritten=False)]
    assert len(attributes.long(extents)) == 60
    monkeypatch.setattr(xfs_attributes, "_MAX_BYTES", 60 * 60_000)
    with pytest.raises(UnsupportedInputError, match="more attributes than this program reads"):
        attributes.long(extents)


def test_attributes_of_all_files_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filetree, "_MAX_ATTRIBUTES_BYTES", 1000)
    node = Node(1, 0o100644, 0, 0, 1, 0, 0, nothing, xattrs=(("user.a", bytes(400)),))
    root = Node(0, 0o040755, 0, 0, 1, 0, 0, nothing)
    walk = Walk("x", lambda number: node if number else root, lambda _: [(b"a", 1), (b"b", 2), (b"c", 3)])
    with pytest.raises(UnsupportedInputError, match="extended attributes of more than 1000 bytes"):
        list(walk.files(0))


def _iso(folder: Path) -> bytes:
    source = folder / "tree"
    source.mkdir()
    (source / "file").write_bytes(b"x")
    (source / "link").symlink_to("/one/two")
    return iso(source, folder / "image")


def _read_iso(blob: Blob) -> dict[str, Node]:
    return {file.name: file.node for file in Iso9660(blob).files()}


def test_fields_of_rock_ridge_that_are_cut_short(tmp_path: Path) -> None:
    image = bytearray(_iso(tmp_path))
    link = image.index(b"SL", image.index(b"link"))
    assert image[link + 5] == 8  # the root comes first
    image[link + 5] = 9  # and now goes on in the next component
    stamps = image.rindex(b"TF", 0, image.index(b"file"))
    image[stamps + 2], image[stamps + 4] = 11, 2  # one time, of which 6 bytes are there
    found = _read_iso(blob_of(bytes(image)))
    assert found["FILE"].mtime is None  # its name comes after the time, and is lost
    assert found["link"].target == "/one/two"


def test_a_sharing_protocol_that_is_cut_short(tmp_path: Path) -> None:
    image = bytearray(_iso(tmp_path))
    root = int.from_bytes(image[0x8000 + 156 + 2 : 0x8000 + 156 + 6], "little") * 2048
    assert image[root + 34 : root + 36] == b"SP"
    image[root] = 34 + 6
    assert "." in _read_iso(blob_of(bytes(image)))


FORMATS = {"ext4": (extfs, ExtFs), "XFS": (xfs, Xfs), "ISO 9660": (iso, Iso9660), "erofs": (erofs, Erofs)}


@pytest.fixture(scope="module", params=FORMATS)
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """A tree of a thousand small files, in each kind of image."""
    folder, (make, _) = tmp_path_factory.mktemp("real"), FORMATS[request.param]
    source = tree(folder / "tree")
    for number in range(1000):
        (source / f"{number}").write_bytes(b"x")
    return request.param, make(source, folder / "image")


def _spent(name: str, image: bytes, *, read_all: bool = False) -> int:
    """What reading a tree takes of the meter."""
    reader: Any = FORMATS[name][1](blob_of(image))
    before = reader._meter.left
    for file in reader.files():
        for _ in file.node.content() if read_all else ():
            pass
    return int(before - reader._meter.left)


def test_what_is_read_of_a_real_tree_is_far_from_the_bound(real: tuple[str, bytes]) -> None:
    name, image = real
    assert 1000 * 512 < _spent(name, image, read_all=True) < 20 * (len(image) + (1 << 20))


def test_tables_and_folders_are_bounded_all_together(real: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Many of them may name the same place, which no bound on one of them sees."""
    name, image = real
    monkeypatch.setattr(filetree, "_MOST_METERED", _spent(name, image) - 1)
    with pytest.raises(UnsupportedInputError, match=f"{name}: more folders and tables, or larger ones"):
        _spent(name, image)


def test_a_file_of_ext_whose_table_names_a_block_again_and_again() -> None:
    """Of a file of one byte, three levels of 256 pointers each: 16 million blocks behind its end (ifork.rst, "Direct/Indirect Block Addressing")."""
    block = 1024
    image = bytearray(64 * block)
    struct.pack_into("<7I", image, 1024, 16, 64, 0, 0, 0, 1, 0)
    struct.pack_into("<I", image, 1024 + 40, 16)
    image[1024 + 56 : 1024 + 58] = b"\x53\xef"
    struct.pack_into("<III", image, 2 * block, 0, 0, 4)  # the table of inodes is block 4
    inode = 4 * block + 128 * 11  # number 12
    struct.pack_into("<HHI", image, inode, 0o100644, 0, 1)
    struct.pack_into("<15I", image, inode + 40, *[20] * 12, 21, 22, 23)
    for table, inner in ((21, 20), (22, 21), (23, 22)):
        struct.pack_into("<256I", image, table * block, *[inner] * 256)
    names = b"".join(
        struct.pack("<IHB", 12, 12 if name != b"c" else 1000, 1) + b"\0" + name + bytes(3) for name in (b"a", b"c")
    )
    folder = 4 * block + 128
    struct.pack_into("<HHI", image, folder, 0o040755, 0, block)
    struct.pack_into("<I", image, folder + 40, 30)
    image[30 * block : 30 * block + len(names)] = names
    found = {file.name: file.node for file in ExtFs(blob_of(bytes(image))).files()}
    assert sorted(found) == [".", "a", "c"]
    with bounded_calls(2000):
        assert len(b"".join(found["a"].content())) == 1
