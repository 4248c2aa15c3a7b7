"""XFS, versions 4 and 5: "XFS Algorithms & Data Structures" (kernel.org) and Linux fs/xfs/libxfs/xfs_format.h, xfs_da_format.h. Big-endian.

The log is not replayed: an image that was not unmounted is refused, as newer files may lie there.
"""

from __future__ import annotations

import stat
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from teekit_verify.artifacts.fields import Field
from teekit_verify.artifacts.filetree import MAX_TARGET_BYTES, Meter, Node, TreeFile, Walk, nothing, zeros
from teekit_verify.artifacts.xfs_attributes import Attributes
from teekit_verify.artifacts.xfs_extents import Extent, ExtentReader
from teekit_verify.artifacts.xfs_log import is_clean
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob

MAGIC = b"XFSB"
_READ_INCOMPAT = 0xFF & ~0x10
"""FTYPE, SPINODES, META_UUID, BIGTIME, (NEEDSREPAIR is refused), NREXT64, EXCHRANGE, PARENT; not zoned, nor metadata directories."""
_NEEDS_REPAIR = 0x10
_V4_FTYPE = 0x200
_REALTIME = 1
_BIGTIME, _LARGE_COUNTS = 8, 16
_DEVICE, _LOCAL, _EXTENTS, _BTREE = 0, 1, 2, 3
_LEAF_OFFSET = 1 << 35
_MAX_DIRECTORY_BYTES = 256 << 20
_DATA_MAGIC = {b"XD2B": 16, b"XD2D": 16, b"XDB3": 64, b"XDD3": 64}
"""Blocks of directories, and the size of their header."""
_SYMLINK_MAGIC, _SYMLINK_HEADER = b"XSLM", 56
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class _Inode:
    """`raw` is all of it; `data` and `attributes` are its two forks."""

    number: int
    raw: bytes
    mode: int
    version: int
    form: int
    size: int
    flags2: int
    data: bytes
    attributes: bytes
    attribute_form: int
    extents: int
    attribute_extents: int


class Xfs:
    """An image; `files` walks it. Raises MalformedInputError with offset and field, or UnsupportedInputError."""

    def __init__(self, blob: Blob) -> None:
        raw = blob.read(0, 512)
        if len(raw) < 512 or not raw.startswith(MAGIC):  # noqa: PLR2004
            raise _bad("superblock", 0, "is truncated, or has the wrong magic number")
        self._blob = blob
        self._meter = Meter.of("XFS", blob.size_bytes)
        self._block = int.from_bytes(raw[4:8], "big")
        log_start, self._root = struct.unpack_from(">QQ", raw, 48)
        self._group_blocks, self._groups = int.from_bytes(raw[84:88], "big"), int.from_bytes(raw[88:92], "big")
        log_blocks, version = struct.unpack_from(">IH", raw, 96)
        self._inode_bytes = int.from_bytes(raw[104:106], "big")
        self._inodes_bits, self._group_bits, self._directory_bits = raw[123], raw[124], raw[192]
        features2, _, _, _, incompatible = struct.unpack_from(">IIIII", raw, 200)
        self._is_v5 = version & 15 == 5  # noqa: PLR2004
        if version & 15 not in {4, 5}:
            raise UnsupportedInputError(f"XFS: version {version & 15} is not supported")
        self._has_types = bool(incompatible & 1) if self._is_v5 else bool(features2 & _V4_FTYPE)
        if self._is_v5 and incompatible & (_NEEDS_REPAIR | ~(_READ_INCOMPAT | _NEEDS_REPAIR)):
            raise UnsupportedInputError(f"XFS: features {incompatible:#x} (incompatible) are not supported")
        self._require_sizes()
        if not log_start:
            raise UnsupportedInputError("XFS: its log is on another device")
        extents = ExtentReader(blob, self._block, self.address, is_v5=self._is_v5, meter=self._meter)
        self._extents, self._attributes = extents, Attributes(extents, is_v5=self._is_v5)
        if not is_clean(blob.part(self.address(log_start), log_blocks * self._block)):
            raise UnsupportedInputError("XFS: its log has to be replayed first (mount and unmount a copy)")

    def _require_sizes(self) -> None:
        if (
            self._block not in {1 << bits for bits in range(9, 17)}
            or self._inode_bytes not in {256, 512, 1024, 2048}
            or self._block != self._inode_bytes << self._inodes_bits
            or not 0 < self._group_bits < 32  # noqa: PLR2004
            or not self._groups
            or self._block << self._directory_bits > 1 << 16
        ):
            raise _bad("superblock", 0, "has impossible sizes of blocks, inodes or groups")

    def address(self, block: int) -> int:
        """The offset of a block of the file system in the image."""
        group, inside = block >> self._group_bits, block & ((1 << self._group_bits) - 1)
        if group >= self._groups or inside >= self._group_blocks:
            raise _bad("block number", 0, f"{block:#x} is in no allocation group")
        return (group * self._group_blocks + inside) * self._block

    def files(self) -> Iterator[TreeFile]:
        """Every name with its inode."""
        return Walk("XFS", self._node, self._children).files(self._root)

    def _inode(self, number: int) -> _Inode:
        index = number & ((1 << self._inodes_bits) - 1)
        at = self.address(number >> self._inodes_bits) + index * self._inode_bytes
        self._meter.spend(self._inode_bytes)
        raw = self._blob.read(at, self._inode_bytes)
        if len(raw) < self._inode_bytes or raw[:2] != b"IN":
            raise _bad("inode", at, "is truncated or malformed")
        mode, version, form = struct.unpack_from(">HBB", raw, 2)
        core = 176 if version == 3 else 100  # noqa: PLR2004
        (size,) = struct.unpack_from(">Q", raw, 56)
        extents, attribute_extents = struct.unpack_from(">IH", raw, 76)
        flags2 = int.from_bytes(raw[120:128], "big") if version == 3 else 0  # noqa: PLR2004
        if flags2 & _LARGE_COUNTS:
            extents, attribute_extents = int.from_bytes(raw[24:32], "big"), extents
        split = core + 8 * raw[82] if raw[82] else len(raw)
        if split > len(raw):
            raise _bad("inode", at, "has a fork beyond its end")
        if int.from_bytes(raw[90:92], "big") & _REALTIME and stat.S_ISREG(mode):
            raise UnsupportedInputError("XFS: a file on the real-time device, which is not supported")
        forks = raw[core:split], raw[split:]
        return _Inode(number, raw, mode, version, form, size, flags2, *forks, raw[83], extents, attribute_extents)

    def _data_extents(self, inode: _Inode) -> list[Extent]:
        if inode.form == _EXTENTS:
            return self._extents.inline(inode.data, inode.extents)
        if inode.form == _BTREE:
            return self._extents.tree(inode.data)
        raise _bad("inode", inode.number, f"a data fork of form {inode.form}")

    def _node(self, number: int) -> Node:
        inode = self._inode(number)
        raw = inode.raw
        uid, gid, links = struct.unpack_from(">III", raw, 8)
        if inode.version == 1:
            (links,) = struct.unpack_from(">H", raw, 6)
        is_file = stat.S_ISREG(inode.mode)
        is_device = stat.S_ISBLK(inode.mode) or stat.S_ISCHR(inode.mode)
        device = int.from_bytes(inode.data[:4], "big") if is_device else 0
        return Node(
            inode=number,
            mode=inode.mode,
            uid=uid,
            gid=gid,
            links=links,
            mtime=_nanoseconds(inode, 40),
            size_bytes=inode.size if is_file else 0,
            content=(lambda: self._content(number)) if is_file else nothing,
            device=(device >> 18, device & 0x3FFFF),
            target=self._target(inode) if stat.S_ISLNK(inode.mode) else "",
            xattrs=self._xattrs(inode),
            others=(
                (Field.CTIME, _moment(_nanoseconds(inode, 48))),
                *(((Field.BIRTH_TIME, _moment(_nanoseconds(inode, 144))),) if inode.version == 3 else ()),  # noqa: PLR2004
                ("inode flags", raw[90:92].hex()),
            ),
        )

    def _xattrs(self, inode: _Inode) -> tuple[tuple[str, bytes], ...]:
        if not inode.attributes:
            return ()
        if inode.attribute_form == _LOCAL:
            return self._attributes.short(inode.attributes)
        if inode.attribute_form == _EXTENTS:
            return self._attributes.long(self._extents.inline(inode.attributes, inode.attribute_extents))
        if inode.attribute_form == _BTREE:
            return self._attributes.long(self._extents.tree(inode.attributes))
        raise _bad("inode", inode.number, f"an attribute fork of form {inode.attribute_form}")

    def _content(self, number: int) -> Iterator[bytes]:
        inode, at = self._inode(number), 0
        for extent in self._data_extents(inode):
            offset, size = extent.offset * self._block, extent.count * self._block
            if offset >= inode.size:
                break
            if offset < at:
                raise _bad("extent", number, "overlaps the one before")
            yield from zeros(offset - at)
            size = min(size, inode.size - offset)
            if extent.is_unwritten:
                yield from zeros(size)
            else:
                yield from self._extents.bytes_of(extent).part(0, size).pieces()
            at = offset + size
        yield from zeros(inode.size - at)

    def _target(self, inode: _Inode) -> str:
        if inode.size > MAX_TARGET_BYTES:
            raise _bad("symlink", inode.number, "is longer than any path")
        if inode.form == _LOCAL:
            return inode.data[: inode.size].decode("utf-8", "surrogateescape")
        found = b""
        for extent in self._data_extents(inode):
            if len(found) >= inode.size:
                break
            data = self._extents.bytes_of(extent).read(0, MAX_TARGET_BYTES + (1 << 16))
            self._meter.spend(len(data))
            if not self._is_v5:
                found += data
                continue
            for start in range(0, len(data), self._block):
                block = data[start : start + self._block]
                if block.startswith(_SYMLINK_MAGIC):
                    found += block[_SYMLINK_HEADER : _SYMLINK_HEADER + int.from_bytes(block[8:12], "big")]
        return found[: inode.size].decode("utf-8", "surrogateescape")

    def _children(self, number: int) -> Iterator[tuple[bytes, int]]:
        inode = self._inode(number)
        if inode.form == _LOCAL:
            yield from self._short_directory(inode)
            return
        size, total = self._block << self._directory_bits, 0
        pending = b""
        for extent in self._data_extents(inode):
            if extent.offset * self._block >= _LEAF_OFFSET:
                break
            total += extent.count * self._block
            self._meter.spend(extent.count * self._block)
            if total > _MAX_DIRECTORY_BYTES:
                raise UnsupportedInputError("XFS: a directory larger than this program reads")
            for piece in self._extents.bytes_of(extent).pieces():
                pending += piece
                while len(pending) >= size:
                    yield from self._directory_block(pending[:size], number)
                    pending = pending[size:]

    def _short_directory(self, inode: _Inode) -> Iterator[tuple[bytes, int]]:
        raw = inode.data
        count, width = raw[0], 8 if raw[1] else 4
        at = 2 + width
        for _ in range(raw[1] or count):
            length = raw[at] if at < len(raw) else 0
            name = raw[at + 3 : at + 3 + length]
            place = at + 3 + length + (1 if self._has_types else 0)
            child = raw[place : place + width]
            if len(name) < length or len(child) < width or not length:
                raise _bad("directory", inode.number, "is truncated")
            yield name, int.from_bytes(child, "big")
            at = place + width

    def _directory_block(self, block: bytes, number: int) -> Iterator[tuple[bytes, int]]:
        header = _DATA_MAGIC.get(block[:4])
        if header is None:
            raise _bad("directory", number, f"a block with the magic {block[:4]!r}")
        end = len(block)
        if block[:4] in {b"XD2B", b"XDB3"}:
            end -= 8 + 8 * int.from_bytes(block[-8:-4], "big")
        at = header
        while at + 8 < end:
            if block[at : at + 2] == b"\xff\xff":
                free = int.from_bytes(block[at + 2 : at + 4], "big")
                if not free or free % 8:
                    raise _bad("directory", number, "free space without a size")
                at += free
                continue
            length = block[at + 8]
            if not length or at + 9 + length > end:
                raise _bad("directory", number, "an entry beyond its block")
            yield block[at + 9 : at + 9 + length], int.from_bytes(block[at : at + 8], "big")
            at += -(-(9 + length + (1 if self._has_types else 0) + 2) // 8) * 8


def _nanoseconds(inode: _Inode, at: int) -> int:
    """With BIGTIME nanoseconds since 1901, else seconds and nanoseconds since 1970."""
    if inode.flags2 & _BIGTIME:
        return int.from_bytes(inode.raw[at : at + 8], "big") - (1 << 31) * 10**9
    seconds, fraction = struct.unpack_from(">iI", inode.raw, at)
    return int(seconds) * 10**9 + int(fraction)


def _moment(nanoseconds: int) -> str:
    try:
        return f"{_EPOCH + timedelta(seconds=nanoseconds // 10**9):%Y-%m-%d %H:%M:%S}.{nanoseconds % 10**9:09} UTC"
    except OverflowError:
        return f"{nanoseconds} ns"


def _bad(what: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError("XFS", field=what, offset=offset, problem=problem)
