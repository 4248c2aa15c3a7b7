"""ext2, ext3 and ext4: Linux Documentation/filesystems/ext4/ (super, group_descr, inodes, ifork, dirents, attributes).

Everything is little-endian. The journal is not replayed: what it holds is not what a reader sees, and is said so.
"""

from __future__ import annotations

import stat
import struct
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from teekit_verify.artifacts.fields import Field
from teekit_verify.artifacts.filetree import (
    MAX_TARGET_BYTES,
    MAX_XATTR_BYTES,
    Meter,
    Node,
    TreeFile,
    Walk,
    linux_device,
    nothing,
    zeros,
)
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob

MAGIC, MAGIC_OFFSET = b"\x53\xef", 0x438
_WHAT = "ext4"
_ROOT = 2
_RECOVER, _META_BG, _IS_64BIT = 0x4, 0x10, 0x80
_READ_INCOMPAT = 0x2 | 0x40 | _IS_64BIT | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x8000 | 0x20000
"""FILETYPE, EXTENTS, 64BIT, MMP, FLEX_BG, EA_INODE, CSUM_SEED, LARGEDIR, INLINE_DATA, CASEFOLD."""
_EXTENTS, _INLINE, _EA_INODE, _ENCRYPTED = 0x80000, 0x10000000, 0x200000, 0x800
_EXTENT_MAGIC, _XATTR_MAGIC = 0xF30A, 0xEA020000
_UNWRITTEN = 0x8000
_MAX_LEVELS = 6
_MAX_LOG_BLOCK, _MAX_INODE_BYTES, _GROUP_BYTES = 6, 4096, 32
_OLD_INODE_BYTES, _IN_INODE_BYTES = 128, 60
_MAX_DIRECTORY_BYTES = 256 << 20
_PREFIXES = {
    1: "user.",
    2: "system.posix_acl_access",
    3: "system.posix_acl_default",
    4: "trusted.",
    6: "security.",
    7: "system.",
    8: "system.richacl",
}
_INLINE_DATA = "system.data"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ExtFs:
    """An image; `files` walks it. Raises MalformedInputError with offset and field, or UnsupportedInputError."""

    def __init__(self, blob: Blob) -> None:
        raw = blob.read(1024, 1024)
        if len(raw) < 1024 or raw[56:58] != MAGIC:  # noqa: PLR2004
            raise _bad("superblock", 1024, "is truncated, or has the wrong magic number")
        u32 = partial(_u32, raw)
        self._blob = blob
        self._meter = Meter.of(_WHAT, blob.size_bytes)
        self._inodes, self._first_block, log_block = u32(0), u32(20), u32(24)
        self._inodes_per_group = u32(40)
        incompatible = u32(96) if u32(76) else 0
        self.needs_recovery = bool(incompatible & _RECOVER)
        unread = incompatible & ~(_READ_INCOMPAT | _RECOVER)
        if unread:
            raise UnsupportedInputError(f"{_WHAT}: features {unread:#x} (incompatible) are not supported")
        self._inode_bytes = int.from_bytes(raw[88:90], "little") if u32(76) else _OLD_INODE_BYTES
        self._group_bytes = int.from_bytes(raw[254:256], "little") if incompatible & _IS_64BIT else 32
        if (
            log_block > _MAX_LOG_BLOCK
            or not _OLD_INODE_BYTES <= self._inode_bytes <= _MAX_INODE_BYTES
            or self._group_bytes < _GROUP_BYTES
            or not self._inodes_per_group
        ):
            raise _bad("superblock", 1024, "has impossible sizes of blocks or inodes")
        self.block_bytes = 1024 << log_block

    def files(self) -> Iterator[TreeFile]:
        """Every name with its inode."""
        return Walk(_WHAT, self._node, self._children).files(_ROOT)

    def _raw(self, number: int) -> bytes:
        if not 0 < number <= self._inodes:
            raise _bad("inode", 1024, f"number {number} of {self._inodes}")
        group, index = divmod(number - 1, self._inodes_per_group)
        at = (self._first_block + 1) * self.block_bytes + group * self._group_bytes
        row = self._exactly(at, self._group_bytes, "group descriptor")
        table = _u32(row, 8) | (_u32(row, 40) << 32 if self._group_bytes >= 64 else 0)  # noqa: PLR2004
        return self._exactly(table * self.block_bytes + index * self._inode_bytes, self._inode_bytes, "inode")

    def _exactly(self, offset: int, size_bytes: int, field: str) -> bytes:
        self._meter.spend(size_bytes)
        data = self._blob.read(offset, size_bytes)
        if len(data) < size_bytes:
            raise _bad(field, offset, "lies outside the image")
        return data

    def _node(self, number: int) -> Node:
        raw = self._raw(number)
        mode, uid_low, size = struct.unpack_from("<HHI", raw)
        flags, kind = _u32(raw, 32), stat.S_IFMT(mode)
        gid_low, links = struct.unpack_from("<HH", raw, 24)
        uid_high, gid_high = struct.unpack_from("<HH", raw, 120)
        size |= _u32(raw, 108) << 32 if kind in {stat.S_IFREG, stat.S_IFDIR} else 0
        if flags & _ENCRYPTED:
            raise UnsupportedInputError(f"{_WHAT}: inode {number} is encrypted")
        xattrs = dict(self._xattrs(raw))
        inline = xattrs.pop(_INLINE_DATA, b"") if flags & _INLINE else b""
        content = partial(self._content, raw, size, inline) if kind == stat.S_IFREG else nothing
        target = self._target(raw, size, inline) if kind == stat.S_IFLNK else ""
        is_device = kind in {stat.S_IFCHR, stat.S_IFBLK}
        old, new = _u32(raw, 40), _u32(raw, 44)
        return Node(
            *(number, mode, uid_high << 16 | uid_low, gid_high << 16 | gid_low, links),
            *(_time(raw, 16, 136), size if kind == stat.S_IFREG else 0, content),
            ((old >> 8 & 0xFF, old & 0xFF) if old else linux_device(new)) if is_device else (0, 0),
            target,
            tuple(sorted(xattrs.items())),
            tuple(self._others(raw)),
        )

    def _others(self, raw: bytes) -> Iterator[tuple[str, str]]:
        yield Field.CHANGE_TIME, _text(_time(raw, 12, 132))
        yield Field.ACCESS_TIME, _text(_time(raw, 8, 140))
        if self._has(raw, 152):
            yield Field.BIRTH_TIME, _text(_time(raw, 144, 148))
        yield "generation", str(_u32(raw, 100))
        yield "inode flags", f"{_u32(raw, 32):#x}"

    def _has(self, raw: bytes, end: int) -> bool:
        return len(raw) >= end and 128 + int.from_bytes(raw[128:130], "little") >= end

    def _target(self, raw: bytes, size: int, inline: bytes) -> str:
        if size > MAX_TARGET_BYTES:
            raise _bad("symlink", 0, f"{size} bytes are too many")
        xattr_sectors = self.block_bytes // 512 if _u32(raw, 104) else 0
        if _u32(raw, 28) == xattr_sectors and not _u32(raw, 32) & (_INLINE | _EXTENTS):
            target = raw[40 : 40 + min(size, _IN_INODE_BYTES)]
        else:
            target = b"".join(self._content(raw, size, inline))
        return target.decode("utf-8", "surrogateescape")

    def _content(self, raw: bytes, size: int, inline: bytes) -> Iterator[bytes]:
        """With holes as zeros."""
        if _u32(raw, 32) & _INLINE:
            yield (raw[40:100] + inline)[:size].ljust(size, b"\0") if size <= MAX_XATTR_BYTES else b""
            return
        at = 0
        for block, count, place in self._runs(raw):
            start, stop = block * self.block_bytes, min(size, (block + count) * self.block_bytes)
            if start >= size:
                break  # what is kept for later growth, or by a writer of nobody's, without end
            if start < at:
                raise _bad("extents", 40, f"block {block} comes twice, or out of order")
            yield from zeros(min(start, size) - at)
            if stop > start:
                if place:
                    part = self._blob.part(place * self.block_bytes, stop - start)
                    if part.size_bytes < stop - start:
                        raise _bad("file content", place * self.block_bytes, "lies outside the image")
                    yield from part.pieces()
                else:
                    yield from zeros(stop - start)
                at = stop
        yield from zeros(size - at)

    def _runs(self, raw: bytes) -> Iterator[tuple[int, int, int]]:
        """Block in the file, number of blocks, block on the disk (0 for what was never written)."""
        if _u32(raw, 32) & _EXTENTS:
            yield from self._extents(raw[40:100], 0, None)
            return
        pointers = struct.unpack_from("<15I", raw, 40)
        block = 0
        for level, pointer in [*((0, pointer) for pointer in pointers[:12]), *enumerate(pointers[12:], start=1)]:
            yield from self._indirect(pointer, level, block)
            block += (self.block_bytes // 4) ** level

    def _indirect(self, pointer: int, level: int, block: int) -> Iterator[tuple[int, int, int]]:
        if not pointer:
            return
        if not level:
            yield block, 1, pointer
            return
        step = (self.block_bytes // 4) ** (level - 1)
        table = self._exactly(pointer * self.block_bytes, self.block_bytes, "indirect block")
        for index, (inner,) in enumerate(struct.iter_unpack("<I", table)):
            yield from self._indirect(inner, level - 1, block + index * step)

    def _extents(self, node: bytes, level: int, depth: int | None) -> Iterator[tuple[int, int, int]]:
        magic, entries, _, below = struct.unpack_from("<HHHH", node)
        if magic != _EXTENT_MAGIC or level > _MAX_LEVELS or 12 + 12 * entries > len(node) or depth not in {None, below}:
            raise _bad("extent tree", 0, "a node has another magic, depth or number of entries than it can have")
        for at in range(12, 12 + 12 * entries, 12):
            if below:
                _, low, high = struct.unpack_from("<IIH", node, at)
                inner = self._exactly((high << 32 | low) * self.block_bytes, self.block_bytes, "extent tree")
                yield from self._extents(inner, level + 1, below - 1)
            else:
                block, count, high, low = struct.unpack_from("<IHHI", node, at)
                if not count:
                    raise _bad("extent tree", 0, "an extent of no blocks")
                is_written = count <= _UNWRITTEN
                yield block, count if is_written else count - _UNWRITTEN, (high << 32 | low) if is_written else 0

    def _children(self, number: int) -> Iterator[tuple[bytes, int]]:
        raw = self._raw(number)
        size = _u32(raw, 4) | _u32(raw, 108) << 32
        if size > _MAX_DIRECTORY_BYTES:
            raise _bad("directory size", 0, f"{size} bytes are too many")
        if _u32(raw, 32) & _INLINE:  # the parent's number, then entries; more of them in an attribute
            yield from self._names(raw[44:100])
            yield from self._names(dict(self._xattrs(raw)).get(_INLINE_DATA, b""))
            return
        self._meter.spend(size)
        listing = b"".join(self._content(raw, size, b""))
        for at in range(0, len(listing), self.block_bytes):
            yield from self._names(listing[at : at + self.block_bytes])

    def _names(self, block: bytes) -> Iterator[tuple[bytes, int]]:
        at = 0
        while at + 8 <= len(block):
            number, row_bytes, name_bytes = struct.unpack_from("<IHB", block, at)
            row_bytes = row_bytes or 1 << 16
            if row_bytes < 8 + name_bytes or at + 8 + name_bytes > len(block):
                raise _bad("directory entry", at, f"{row_bytes} bytes for a name of {name_bytes}")
            if number:
                yield block[at + 8 : at + 8 + name_bytes], number
            at += row_bytes

    def _xattrs(self, raw: bytes) -> Iterator[tuple[str, bytes]]:
        if len(raw) > _OLD_INODE_BYTES:
            start = _OLD_INODE_BYTES + int.from_bytes(raw[128:130], "little")
            if start + 4 <= len(raw) and _u32(raw, start) == _XATTR_MAGIC:
                yield from self._xattr_rows(raw[start + 4 :], 0)
        if place := _u32(raw, 104) | int.from_bytes(raw[118:120], "little") << 32:
            block = self._exactly(place * self.block_bytes, self.block_bytes, "extended attributes")
            if _u32(block, 0) != _XATTR_MAGIC:
                raise _bad("extended attributes", place * self.block_bytes, "have another magic")
            yield from self._xattr_rows(block, 32)

    def _xattr_rows(self, area: bytes, at: int) -> Iterator[tuple[str, bytes]]:
        while area[at : at + 4].strip(b"\0"):
            if at + 16 > len(area):
                raise _bad("extended attribute", at, "is truncated")
            name_bytes, index, start, inode, size = struct.unpack_from("<BBHII", area, at)
            name = area[at + 16 : at + 16 + name_bytes].decode("utf-8", "surrogateescape")
            if size > MAX_XATTR_BYTES or (not inode and start + size > len(area)):
                raise _bad("extended attribute", at, f"a value of {size} bytes is too large")
            value = self._xattr_inode(inode, size) if inode else area[start : start + size]
            yield _PREFIXES.get(index, f"{index}.") + name, value
            at += 16 + name_bytes + -name_bytes % 4

    def _xattr_inode(self, number: int, size: int) -> bytes:
        raw = self._raw(number)
        if not _u32(raw, 32) & _EA_INODE:
            raise _bad("extended attribute", 0, f"inode {number} holds none")
        return b"".join(self._content(raw, size, b""))


def _u32(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 4], "little")


def _time(raw: bytes, at: int, extra_at: int) -> int:
    """In nanoseconds: signed seconds, two more bits of them, and nanoseconds (inodes, "Inode Timestamps")."""
    seconds = int.from_bytes(raw[at : at + 4], "little", signed=True)
    has_extra = len(raw) >= extra_at + 4 and 128 + int.from_bytes(raw[128:130], "little") >= extra_at + 4
    extra = _u32(raw, extra_at) if has_extra else 0
    return (seconds + ((extra & 3) << 32)) * 10**9 + (extra >> 2)


def _text(nanoseconds: int) -> str:
    moment = _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{nanoseconds % 10**9:09} UTC"


def _bad(field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError(_WHAT, field=field, offset=offset, problem=problem)
