"""btrfs on one device: Linux include/uapi/linux/btrfs_tree.h and the "On-disk Format" page of its documentation. Little-endian.

Subvolumes and snapshots are read where they are named. A tree log (what was synced and not committed) is not replayed, and is said so.
"""

from __future__ import annotations

import stat
import struct
import sys
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from teekit_verify.artifacts.fields import Field
from teekit_verify.artifacts.filetree import (
    MAX_ENTRIES,
    MAX_TARGET_BYTES,
    MAX_XATTR_BYTES,
    Node,
    TreeFile,
    Walk,
    nothing,
    zeros,
)
from teekit_verify.artifacts.lzo_block import lzo1x
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob

SUPER_AT, MAGIC = 0x10000, b"_BHRfS_M"
_SUPER_BYTES = 4096
_HEADER_BYTES, _ITEM_BYTES, _POINTER_BYTES, _KEY = 101, 25, 33, "<QBQ"
_INODE, _XATTR, _DIR_INDEX, _EXTENT, _ROOT, _CHUNK = 1, 24, 96, 108, 132, 228
_FS_TREE, _FIRST_FREE = 5, 256
_READ_INCOMPAT = 0xFFF ^ 0x80
"""MIXED_BACKREF, DEFAULT_SUBVOL, MIXED_GROUPS, COMPRESS_LZO, COMPRESS_ZSTD, BIG_METADATA, EXTENDED_IREF, SKINNY_METADATA, NO_HOLES,
METADATA_UUID, RAID1C34; not RAID56 and what came later.
"""
_READ_PROFILES = 0x7 | 0x20
"""Data, system, metadata; one copy, or two of them on the device (DUP)."""
_INLINE, _PREALLOCATED = 0, 2
_MAX_DEPTH = 8
_MAX_ITEMS = 8 * MAX_ENTRIES
_MAX_ITEMS_BYTES = 1 << 30
"""Of all trees together: snapshots may share what they hold, and each is kept."""
_MAX_CHUNKS = 1 << 13
_MAX_EXTENT_BYTES = 1 << 20
"""Of an extent that is compressed: 128 KiB in what Linux writes."""
_PAGE = 4096
_WINDOW_LOG = 27
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _File:
    """What the tree has of an inode: its item, and (offset, item) of its extents; of a directory (index, name, child)."""

    inode: bytes = b""
    extents: list[tuple[int, bytes]] = field(default_factory=list)
    children: list[tuple[int, bytes, int]] = field(default_factory=list)
    xattrs: list[tuple[str, bytes]] = field(default_factory=list)


class Btrfs:
    """An image; `files` walks it. Raises MalformedInputError with offset and field, or UnsupportedInputError."""

    def __init__(self, blob: Blob) -> None:
        raw = blob.read(SUPER_AT, _SUPER_BYTES)
        if len(raw) < _SUPER_BYTES or raw[0x40:0x48] != MAGIC:
            raise _bad("superblock", SUPER_AT, "is truncated, or has the wrong magic number")
        self._blob = blob
        root, chunk_root, log_root = struct.unpack_from("<QQQ", raw, 0x50)
        devices, self._sector, self._node_bytes = struct.unpack_from("<QII", raw, 0x88)
        (incompatible,) = struct.unpack_from("<Q", raw, 0xBC)
        if log_root:
            raise UnsupportedInputError(
                "btrfs: its log has to be replayed first (mount it, or btrfs rescue zero-log, on a copy)"
            )
        if devices != 1:
            raise UnsupportedInputError(f"btrfs: it is on {devices} devices")
        if incompatible & ~_READ_INCOMPAT:
            raise UnsupportedInputError(f"btrfs: features {incompatible:#x} (incompatible) are not supported")
        if not _PAGE <= self._node_bytes <= 1 << 16 or self._sector not in {4096, 8192, 16384, 32768, 65536}:
            raise _bad("superblock", SUPER_AT + 0x90, "has impossible sizes of nodes or sectors")
        self._chunks: list[tuple[int, int, int]] = []
        self._items_left, self._bytes_left = _MAX_ITEMS, _MAX_ITEMS_BYTES
        self._read_system_chunks(raw)
        for key, item in self._items(chunk_root, "chunk tree"):
            if key[1] == _CHUNK:
                self._add_chunk(key[2], item, "chunk")
        self._chunk_root = chunk_root
        rows = {
            key[0]: item
            for key, item in self._items(root, "root tree")
            if key[1] == _ROOT and len(item) >= 239  # noqa: PLR2004
        }
        self._roots = {number: struct.unpack_from("<QQ", item, 168) for number, item in rows.items()}
        self._uuids = {number: item[247:263] for number, item in rows.items()}
        self._trees: dict[int, dict[int, _File]] = {}

    def ids(self) -> dict[str, bytes]:
        """Those that mkfs.btrfs draws, besides the superblock's."""
        found = {"UUID of the chunk tree": self._part(self._chunk_root, self._node_bytes, "chunk tree").read(0x40, 16)}
        for number in sorted(self._roots):
            if number == _FS_TREE or number >= _FIRST_FREE:
                found[f"UUID of subvolume {number}"] = self._uuids[number]
        return found

    def files(self) -> Iterator[TreeFile]:
        """Every name with its inode. The number of the tree is above that of the inode."""
        return Walk("btrfs", self._node, self._children).files(self._top(_FS_TREE))

    def _top(self, tree: int) -> int:
        if tree not in self._roots:
            raise _bad("root tree", SUPER_AT, f"has no tree {tree}")
        return tree << 64 | int(self._roots[tree][0])

    def _read_system_chunks(self, raw: bytes) -> None:
        (size,) = struct.unpack_from("<I", raw, 0xA0)
        at, end = 0x32B, 0x32B + min(size, 2048)
        while at + 17 + 48 <= end:
            key = struct.unpack_from(_KEY, raw, at)
            stripes = int.from_bytes(raw[at + 17 + 44 : at + 17 + 46], "little")
            item = raw[at + 17 : at + 17 + 48 + 32 * stripes]
            self._add_chunk(key[2], item, "system chunk")
            at += 17 + 48 + 32 * stripes

    def _add_chunk(self, logical: int, item: bytes, what: str) -> None:
        if len(item) < 48 + 32:
            raise _bad(what, SUPER_AT, "is truncated")
        length, _, _, kind = struct.unpack_from("<QQQQ", item)
        if kind & ~_READ_PROFILES:
            raise UnsupportedInputError(f"btrfs: chunks of type {kind:#x} are not supported")
        (place,) = struct.unpack_from("<Q", item, 48 + 8)
        if (logical, length, place) not in self._chunks:
            self._chunks.append((logical, length, place))
            self._chunks.sort()
        if len(self._chunks) > _MAX_CHUNKS:
            raise UnsupportedInputError("btrfs: more chunks than this program reads")

    def _part(self, logical: int, size_bytes: int, what: str) -> Blob:
        for start, length, place in self._chunks:
            if start <= logical and logical + size_bytes <= start + length:
                part = self._blob.part(place + logical - start, size_bytes)
                if part.size_bytes == size_bytes:
                    return part
                break
        raise _bad(what, logical, "is at an address outside of every chunk")

    def _items(self, root: int, what: str) -> Iterator[tuple[tuple[int, int, int], bytes]]:
        """Key and content of each item of a tree. Keys ascend, so that no node comes twice."""
        last = (-1, 0, 0)
        for key, item in self._below(root, what, _MAX_DEPTH):
            if key <= last:
                raise _bad(what, root, "items out of order")
            last = key
            self._items_left -= 1
            self._bytes_left -= len(item)
            if self._items_left < 0 or self._bytes_left < 0:
                raise UnsupportedInputError(f"btrfs: more than {_MAX_ITEMS} items, or too large ones, at the {what}")
            yield key, item

    def _below(self, address: int, what: str, levels_left: int) -> Iterator[tuple[tuple[int, int, int], bytes]]:
        node = self._part(address, self._node_bytes, what).read(0, self._node_bytes)
        own, count, level = int.from_bytes(node[48:56], "little"), int.from_bytes(node[96:100], "little"), node[100]
        size = _POINTER_BYTES if level else _ITEM_BYTES
        if own != address or level >= levels_left or _HEADER_BYTES + count * size > len(node):
            raise _bad(what, address, "a node is malformed, or deeper than a tree can be")
        if not count and (level or levels_left < _MAX_DEPTH):
            raise _bad(what, address, "an empty node below another one")
        for at in range(_HEADER_BYTES, _HEADER_BYTES + count * size, size):
            if level:
                yield from self._below(int.from_bytes(node[at + 17 : at + 25], "little"), what, level)
                continue
            offset, length = struct.unpack_from("<II", node, at + 17)
            if _HEADER_BYTES + offset + length > len(node):
                raise _bad(what, address, "an item beyond its node")
            yield struct.unpack_from(_KEY, node, at), node[_HEADER_BYTES + offset : _HEADER_BYTES + offset + length]

    def _tree(self, number: int) -> dict[int, _File]:
        if number not in self._trees:
            found: dict[int, _File] = {}
            for (inode, kind, offset), item in self._items(self._roots[number][1], "file tree"):
                if kind not in {_INODE, _XATTR, _DIR_INDEX, _EXTENT}:
                    continue
                row = found.setdefault(inode, _File())
                if kind == _INODE:
                    row.inode = item
                elif kind == _EXTENT:
                    row.extents.append((offset, item))
                elif kind == _DIR_INDEX:
                    row.children += self._named(number, offset, item)
                else:
                    row.xattrs += _xattrs(item)
            self._trees[number] = found
        return self._trees[number]

    def _named(self, tree: int, index: int, item: bytes) -> Iterator[tuple[int, bytes, int]]:
        """The child's inode; where it is another tree's, that tree's top."""
        if len(item) < 30:  # noqa: PLR2004
            raise _bad("directory entry", index, "is truncated")
        inode, kind, _ = struct.unpack_from(_KEY, item)
        name = item[30 : 30 + int.from_bytes(item[27:29], "little")]
        if kind == _ROOT:
            if inode in self._roots:
                yield index, name, self._top(inode)
            return
        yield index, name, tree << 64 | inode

    def _children(self, reference: int) -> Iterator[tuple[bytes, int]]:
        row = self._tree(reference >> 64)[reference & ((1 << 64) - 1)]
        return ((name, child) for _, name, child in sorted(row.children))

    def _node(self, reference: int) -> Node:
        tree, number = reference >> 64, reference & ((1 << 64) - 1)
        row = self._tree(tree).get(number)
        if row is None or len(row.inode) < 160:  # noqa: PLR2004
            raise _bad("inode", number, "is missing or truncated")
        (size,) = struct.unpack_from("<Q", row.inode, 16)
        links, uid, gid, mode = struct.unpack_from("<IIII", row.inode, 40)
        device, flags = struct.unpack_from("<QQ", row.inode, 56)
        is_file, is_link = stat.S_ISREG(mode), stat.S_ISLNK(mode)
        return Node(
            inode=reference,
            mode=mode,
            uid=uid,
            gid=gid,
            links=links,
            mtime=_nanoseconds(row.inode, 136),
            size_bytes=size if is_file else 0,
            content=(lambda: self._content(row, size)) if is_file else nothing,
            device=(device >> 20, device & 0xFFFFF) if stat.S_ISBLK(mode) or stat.S_ISCHR(mode) else (0, 0),
            target=self._target(row, size) if is_link else "",
            xattrs=tuple(sorted(row.xattrs)),
            others=(
                (Field.CTIME, _moment(row.inode, 124)),
                (Field.BIRTH_TIME, _moment(row.inode, 148)),
                ("inode flags", f"{flags:#x}"),
            ),
        )

    def _target(self, row: _File, size: int) -> str:
        if size > MAX_TARGET_BYTES:
            raise _bad("symlink", size, "is longer than any path")
        return b"".join(self._content(row, size)).decode("utf-8", "surrogateescape")

    def _content(self, row: _File, size: int) -> Iterator[bytes]:
        """In the order of the extents, with zeros for what has none."""
        at = 0
        for offset, item in sorted(row.extents):
            if offset >= size:
                break
            if offset < at or len(item) < 21:  # noqa: PLR2004
                raise _bad("extent", offset, "overlaps the one before, or is truncated")
            yield from zeros(offset - at)
            at = offset
            for piece in self._extent(item):
                yield piece[: size - at]
                at = min(size, at + len(piece))
                if at == size:
                    return
        yield from zeros(size - at)

    def _extent(self, item: bytes) -> Iterator[bytes]:
        (plain_bytes,) = struct.unpack_from("<Q", item, 8)
        compression, encryption, other, kind = struct.unpack_from("<BBHB", item, 16)
        if encryption or other:
            raise UnsupportedInputError("btrfs: an encrypted or encoded extent, which is not supported")
        if kind == _INLINE:
            data = item[21:]
            yield data if not compression else self._unpacked(compression, data, plain_bytes)[:plain_bytes]
            return
        if len(item) < 53:  # noqa: PLR2004
            raise _bad("extent", 0, "is truncated")
        place, stored, start, length = struct.unpack_from("<QQQQ", item, 21)
        if not place or kind == _PREALLOCATED:
            yield from zeros(length)
        elif compression:
            if start + length > plain_bytes:
                raise _bad("extent", place, "ends after what it unpacks to")
            packed = self._part(place, stored, "extent").read(0, min(stored, _MAX_EXTENT_BYTES))
            yield self._unpacked(compression, packed, plain_bytes)[start : start + length].ljust(length, b"\0")
        else:
            if start + length > stored:
                raise _bad("extent", place, "ends after what is stored of it")
            yield from self._part(place + start, length, "extent").pieces()

    def _unpacked(self, compression: int, data: bytes, plain_bytes: int) -> bytes:
        if plain_bytes > _MAX_EXTENT_BYTES:
            raise _bad("extent", 0, f"unpacks to {plain_bytes} bytes, which no writer makes")
        try:
            if compression == 1:
                return zlib.decompressobj().decompress(data, plain_bytes)
            if compression == 2:  # noqa: PLR2004
                return self._lzo(data, plain_bytes)
            if compression == 3:  # noqa: PLR2004
                state = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
                return state.decompress(data, plain_bytes)
        except (zlib.error, zstd.ZstdError, ValueError, EOFError) as error:
            raise _bad("compressed extent", 0, printable(str(error))) from error
        raise UnsupportedInputError(f"btrfs: compression {compression} is not supported")

    def _lzo(self, data: bytes, plain_bytes: int) -> bytes:
        """fs/btrfs/lzo.c: the length of all, then segments with theirs; a length never crosses a sector's end."""
        end, at, out = int.from_bytes(data[:4], "little"), 4, b""
        while at + 4 <= min(end, len(data)) and len(out) < plain_bytes:
            size = int.from_bytes(data[at : at + 4], "little")
            out += lzo1x(data[at + 4 : at + 4 + size], self._sector)
            at += 4 + size
            left = self._sector - at % self._sector
            at += left if left < 4 else 0  # noqa: PLR2004
        return out


def _xattrs(item: bytes) -> Iterator[tuple[str, bytes]]:
    """Several, if their names have the same digest."""
    at = 0
    while at + 30 <= len(item):
        value_bytes, name_bytes = struct.unpack_from("<HH", item, at + 25)
        name = item[at + 30 : at + 30 + name_bytes]
        value = item[at + 30 + name_bytes : at + 30 + name_bytes + value_bytes]
        if len(value) < value_bytes or value_bytes > MAX_XATTR_BYTES:
            raise _bad("attribute", at, "is truncated")
        yield name.decode("utf-8", "surrogateescape"), value
        at += 30 + name_bytes + value_bytes


def _nanoseconds(raw: bytes, at: int) -> int:
    seconds, fraction = struct.unpack_from("<qI", raw, at)
    return int(seconds) * 10**9 + int(fraction)


def _moment(raw: bytes, at: int) -> str:
    nanoseconds = _nanoseconds(raw, at)
    try:
        return f"{_EPOCH + timedelta(seconds=nanoseconds // 10**9):%Y-%m-%d %H:%M:%S}.{nanoseconds % 10**9:09} UTC"
    except OverflowError:
        return f"{nanoseconds} ns"


def _bad(what: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError("btrfs", field=what, offset=offset, problem=problem)
