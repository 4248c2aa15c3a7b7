"""EROFS: Linux Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h. Everything is little-endian.

An inode is found by its number times 32 from the metadata on. Its data lies in whole blocks, behind it, in chunks, or in
compressed clusters (erofs_compressed.py).
"""

from __future__ import annotations

import stat
import struct
from functools import partial
from typing import TYPE_CHECKING

from teekit_verify.artifacts.erofs_compressed import Clusters
from teekit_verify.artifacts.filetree import (
    MAX_TARGET_BYTES,
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

MAGIC, MAGIC_OFFSET = b"\xe2\xe1\xf5\xe0", 1024
_WHAT = "erofs"
_PADDED = 0x1
_READ_INCOMPAT = _PADDED | 0x2 | 0x4 | 0x10 | 0x20 | 0x40
"""ZERO_PADDING, BIG_PCLUSTER (or COMPR_CFGS), CHUNKED_FILE, ZTAILPACKING, FRAGMENTS (or DEDUPE), XATTR_PREFIXES."""
_INODE_ALIGN = 32
_PLAIN, _FULL, _INLINE, _COMPACT, _CHUNKS = range(5)
_HOLE = 0xFFFFFFFF
_MAX_DIRECTORY_BYTES = 256 << 20
_LONG_PREFIX = 0x80
_PLAIN_PREFIXES = 0x10
"""PLAIN_XATTR_PFX, of compatible features: long prefixes lie in the image itself and not in its packed inode."""
_PREFIXES = {1: "user.", 2: "system.posix_acl_access", 3: "system.posix_acl_default", 4: "trusted.", 6: "security."}


class _Inode:
    """The fields of one, compact (32 bytes) or extended (64)."""

    def __init__(self, raw: bytes, offset: int, made: int) -> None:
        form, self.xattr_count, self.mode = struct.unpack_from("<HHH", raw)
        self.layout = form >> 1 & 7
        self.is_extended = bool(form & 1)
        if form >> 4 or (self.is_extended and len(raw) < 64):  # noqa: PLR2004
            raise _bad("inode format", offset, f"{form:#x} is not supported")
        self.union = struct.unpack_from("<I", raw, 16)[0]
        self.number = struct.unpack_from("<I", raw, 20)[0]
        if self.is_extended:
            self.size = struct.unpack_from("<Q", raw, 8)[0]
            self.uid, self.gid, seconds, nanoseconds, self.links = struct.unpack_from("<IIQII", raw, 24)
            self.mtime = seconds * 10**9 + nanoseconds
        else:
            self.links, self.size = struct.unpack_from("<HI", raw, 6)
            self.uid, self.gid = struct.unpack_from("<HH", raw, 24)
            self.mtime = made
        self.xattrs = offset + (64 if self.is_extended else 32)
        self.xattr_bytes = 12 + 4 * (self.xattr_count - 1) if self.xattr_count else 0
        self.end = self.xattrs + self.xattr_bytes


class Erofs:
    """An image; `files` walks it. Raises MalformedInputError with offset and field, or UnsupportedInputError."""

    def __init__(self, blob: Blob) -> None:
        raw = blob.read(1024, 128)
        if len(raw) < 128 or not raw.startswith(MAGIC):  # noqa: PLR2004
            raise _bad("superblock", 1024, "is truncated, or has the wrong magic number")
        self._blob = blob
        self._meter = Meter.of(_WHAT, blob.size_bytes)
        self._block_bits = raw[12]
        self._root = int.from_bytes(raw[14:16], "little")
        seconds, nanoseconds, _, meta, xattrs = struct.unpack_from("<QIIII", raw, 24)
        self._made = seconds * 10**9 + nanoseconds
        incompatible = struct.unpack_from("<I", raw, 80)[0]
        if incompatible & ~_READ_INCOMPAT:
            raise UnsupportedInputError(f"{_WHAT}: features {incompatible & ~_READ_INCOMPAT:#x} are not supported")
        self._is_padded = bool(incompatible & _PADDED)
        if not 9 <= self._block_bits <= 16 or int.from_bytes(raw[86:88], "little") or raw[90]:  # noqa: PLR2004
            raise UnsupportedInputError(f"{_WHAT}: other block sizes, or data on other devices, are not supported")
        self._block_bytes = 1 << self._block_bits
        self._meta, self._shared = meta << self._block_bits, xattrs << self._block_bits
        self._packed = int.from_bytes(raw[96:104], "little") if incompatible & 0x20 else 0
        self._prefixes, self._prefixes_at = raw[91], int.from_bytes(raw[92:96], "little") * 4
        self._is_packed_elsewhere = not int.from_bytes(raw[8:12], "little") & _PLAIN_PREFIXES
        self._long_prefixes: tuple[str, ...] | None = None

    def files(self) -> Iterator[TreeFile]:
        """Every name with its inode."""
        return Walk(_WHAT, self._node, self._children).files(self._root)

    def _exactly(self, offset: int, size_bytes: int, field: str) -> bytes:
        self._meter.spend(size_bytes)
        data = self._blob.read(offset, size_bytes)
        if len(data) < size_bytes:
            raise _bad(field, offset, "lies outside the image")
        return data

    def _inode(self, number: int) -> _Inode:
        offset = self._meta + number * _INODE_ALIGN
        raw = self._exactly(offset, 32, "inode") + self._blob.read(offset + 32, 32)
        return _Inode(raw, offset, self._made)

    def _node(self, number: int) -> Node:
        inode = self._inode(number)
        kind = stat.S_IFMT(inode.mode)
        target = ""
        if kind == stat.S_IFLNK:
            if inode.size > MAX_TARGET_BYTES:
                raise _bad("symlink", inode.xattrs, f"{inode.size} bytes are too many")
            target = b"".join(self._content(inode)).decode("utf-8", "surrogateescape")
        is_device = kind in {stat.S_IFCHR, stat.S_IFBLK}
        return Node(
            *(number, inode.mode, inode.uid, inode.gid, inode.links, inode.mtime),
            inode.size if kind == stat.S_IFREG else 0,
            partial(self._content, inode) if kind == stat.S_IFREG else nothing,
            linux_device(inode.union) if is_device else (0, 0),
            target,
            tuple(sorted(self._xattrs(inode))),
        )

    def _content(self, inode: _Inode) -> Iterator[bytes]:
        match inode.layout:
            case 0:
                yield from self._blocks(inode.union << self._block_bits, inode.size)
            case 2:
                whole = (max(0, inode.size - 1) >> self._block_bits) << self._block_bits
                yield from self._blocks(inode.union << self._block_bits, whole)
                yield self._exactly(inode.end, inode.size - whole, "file content")
            case 4:
                yield from self._chunks(inode)
            case 1 | 3:
                clusters = Clusters(
                    *(self._blob, self._block_bits, inode.end, inode.size),
                    is_compact=inode.layout == _COMPACT,
                    is_padded=self._is_padded,
                )
                yield from clusters.content(self._fragment)
            case layout:
                raise _bad("inode format", inode.xattrs, f"data layout {layout} is unknown")

    def _blocks(self, start: int, size_bytes: int) -> Iterator[bytes]:
        part = self._blob.part(start, size_bytes)
        if part.size_bytes < size_bytes:
            raise _bad("file content", start, f"{size_bytes} bytes are more than there are")
        return part.pieces()

    def _chunks(self, inode: _Inode) -> Iterator[bytes]:
        form = inode.union & 0xFFFF
        chunk_bytes, width = 1 << (self._block_bits + (form & 31)), 8 if form & 0x20 else 4
        start = -(-inode.end // width) * width
        left, index = inode.size, 0
        while left:
            row = self._exactly(start + width * index, width, "chunk")
            if width > 4 and int.from_bytes(row[2:4], "little"):  # noqa: PLR2004
                raise UnsupportedInputError(f"{_WHAT}: data on other devices is not supported")
            place = int.from_bytes(row[-4:], "little")
            wanted = min(left, chunk_bytes)
            yield from zeros(wanted) if place == _HOLE else self._blocks(place << self._block_bits, wanted)
            left, index = left - wanted, index + 1

    def _fragment(self, offset: int, size_bytes: int) -> bytes:
        """Of the packed inode, in which the tails of many files are together."""
        found, at = bytearray(), 0
        for piece in self._content(self._inode(self._packed)):
            self._meter.spend(len(piece))
            if at + len(piece) > offset:
                found += piece[max(0, offset - at) : offset + size_bytes - at]
            at += len(piece)
            if at >= offset + size_bytes:
                break
        if not self._packed or len(found) != size_bytes:
            raise _bad("fragment", offset, f"{size_bytes} bytes are not all there")
        return bytes(found)

    def _children(self, number: int) -> Iterator[tuple[bytes, int]]:
        inode = self._inode(number)
        if inode.size > _MAX_DIRECTORY_BYTES:
            raise _bad("directory size", inode.xattrs, f"{inode.size} bytes are too many")
        self._meter.spend(inode.size)
        listing = b"".join(self._content(inode))
        for start in range(0, len(listing), self._block_bytes):
            yield from self._names(listing[start : start + self._block_bytes])

    def _names(self, block: bytes) -> Iterator[tuple[bytes, int]]:
        """Rows of 12 bytes, then the names that they point to; the last one ends with the block, or at NUL."""
        if len(block) < 12:  # noqa: PLR2004
            raise _bad("directory", 0, "a block is truncated")
        first = int.from_bytes(block[8:10], "little")
        if first % 12 or not 12 <= first <= len(block):  # noqa: PLR2004
            raise _bad("directory", 0, f"names begin at {first}")
        rows = [struct.unpack_from("<QHB", block, at) for at in range(0, first, 12)]
        ends = [*(row[1] for row in rows[1:]), len(block)]
        for (number, start, _), end in zip(rows, ends, strict=True):
            yield block[start:end].split(b"\0", 1)[0], number

    def _xattrs(self, inode: _Inode) -> Iterator[tuple[str, bytes]]:
        if not inode.xattr_bytes:
            return
        area = self._exactly(inode.xattrs, inode.xattr_bytes, "extended attributes")
        shared = area[4]
        at = 12 + 4 * shared
        for (number,) in struct.iter_unpack("<I", area[12:at][: (len(area) - 12) // 4 * 4]):
            place = self._shared + 4 * number
            name_bytes, _, size = struct.unpack("<BBH", self._exactly(place, 4, "shared attribute"))
            yield self._xattr(self._exactly(place, 4 + name_bytes + size, "shared attribute"), 0)[:2]
        while at + 4 <= len(area):
            if not area[at : at + 4].strip(b"\0"):
                break
            name, value, at = self._xattr(area, at)
            yield name, value

    def _xattr(self, area: bytes, at: int) -> tuple[str, bytes, int]:
        if at + 4 > len(area):
            raise _bad("extended attribute", at, "is truncated")
        name_bytes, index, size = struct.unpack_from("<BBH", area, at)
        name = area[at + 4 : at + 4 + name_bytes].decode("utf-8", "surrogateescape")
        start = at + 4 + name_bytes
        if start + size > len(area):
            raise _bad("extended attribute", at, f"a value of {size} bytes is truncated")
        end = start + size
        return self._prefix(index) + name, area[start:end], end + -end % 4

    def _prefix(self, index: int) -> str:
        """One of those that all file systems know, or of the image's own."""
        if not index & _LONG_PREFIX:
            return _PREFIXES.get(index, f"{index}.")
        if self._long_prefixes is None:
            self._long_prefixes = tuple(self._read_prefixes())
        number = index & ~_LONG_PREFIX
        if number >= len(self._long_prefixes):
            raise _bad(
                "extended attribute", self._prefixes_at, f"has the prefix {number} of {len(self._long_prefixes)}"
            )
        return self._long_prefixes[number]

    def _read_prefixes(self) -> Iterator[str]:
        """Of each its length in 2 bytes at a multiple of 4, the number of one that is known, and what follows that."""
        at = self._prefixes_at
        for _ in range(self._prefixes):
            size = int.from_bytes(self._prefix_bytes(at, 2), "little")
            row = self._prefix_bytes(at + 2, size)
            if not row:
                raise _bad("prefix of extended attributes", at, "is empty")
            yield _PREFIXES.get(row[0], f"{row[0]}.") + row[1:].decode("utf-8", "surrogateescape")
            at += 2 + size + -(2 + size) % 4

    def _prefix_bytes(self, at: int, size_bytes: int) -> bytes:
        if self._packed and self._is_packed_elsewhere:
            return self._fragment(at, size_bytes)
        return self._exactly(at, size_bytes, "prefix of extended attributes")


def _bad(field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError(_WHAT, field=field, offset=offset, problem=problem)
