"""Extended attributes of XFS: in the inode, in leaves, in blocks of their own (fs/xfs/libxfs/xfs_da_format.h, xfs_attr_sf.h)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from teekit_verify.artifacts.filetree import MAX_XATTR_BYTES
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.artifacts.xfs_extents import Extent, ExtentReader

_LOCAL, _INCOMPLETE, _PARENT = 1, 0x80, 8
_PREFIXES = {0: "user.", 2: "trusted.", 4: "security."}
_NODES, _LEAVES = {0xFEBE, 0x3EBE}, {0xFBEE, 0x3BEE}
_REMOTE_HEADER = 56
_MAX_BLOCKS = 4096
_MAX_LEVELS = 8
_LOOKED_AT_BYTES = 64
"""What it counts as that an extent is looked at, beside what is read."""
_MAX_BYTES = 4 << 20
"""Of all attributes of a file: Linux lists 64 KiB of names."""

Found = tuple[tuple[str, bytes], ...]


@frozen
class Attributes:
    """Raises MalformedInputError for what is damaged."""

    extents: ExtentReader
    is_v5: bool

    def short(self, fork: bytes) -> Found:
        """Those in the inode."""
        if len(fork) < 4:  # noqa: PLR2004
            return ()
        found, at = [], 4
        for _ in range(fork[2]):
            if at + 3 > len(fork):
                raise _bad("is truncated")
            name_bytes, value_bytes, flags = fork[at : at + 3]
            name = fork[at + 3 : at + 3 + name_bytes]
            value = fork[at + 3 + name_bytes : at + 3 + name_bytes + value_bytes]
            if len(value) < value_bytes:
                raise _bad("is truncated")
            found.append((_named(flags, name), value))
            at += 3 + name_bytes + value_bytes
        return tuple(sorted(found))

    def long(self, extents: Sequence[Extent]) -> Found:
        """Those in blocks: from the first leaf to the last one."""
        if not extents:
            return ()  # a fork that was made and never used
        found: list[tuple[str, bytes]] = []
        block, seen, total = self._first_leaf(extents), set[int](), 0
        while block not in seen:
            seen.add(block)
            if len(seen) > _MAX_BLOCKS:
                raise UnsupportedInputError("XFS: more attributes than this program reads")
            data = self._block(extents, block)
            if int.from_bytes(data[8:10], "big") not in _LEAVES:
                raise _bad("a block of them is malformed")
            for row in self._leaf(extents, data):
                found.append(row)
                total += len(row[0]) + len(row[1])
                if total > _MAX_BYTES:
                    raise UnsupportedInputError("XFS: more attributes than this program reads")
            block = int.from_bytes(data[:4], "big")
            if not block:
                return tuple(sorted(found))
        raise _bad("their blocks form a cycle")

    def _first_leaf(self, extents: Sequence[Extent]) -> int:
        block = 0
        for _ in range(_MAX_LEVELS):
            data = self._block(extents, block)
            if int.from_bytes(data[8:10], "big") not in _NODES:
                return block
            start = 64 if self.is_v5 else 16
            block = int.from_bytes(data[start + 4 : start + 8], "big")
        raise _bad("their tree is too deep")

    def _block(self, extents: Sequence[Extent], number: int) -> bytes:
        size = self.extents.block_bytes
        self.extents.meter.spend(size + _LOOKED_AT_BYTES * len(extents))
        for extent in extents:
            if extent.offset <= number < extent.offset + extent.count:
                return self.extents.bytes_of(extent).read((number - extent.offset) * size, size)
        raise _bad(f"block {number} of them is nowhere")

    def _leaf(self, extents: Sequence[Extent], data: bytes) -> Iterator[tuple[str, bytes]]:
        head, start = (56, 80) if self.is_v5 else (12, 32)
        for index in range(int.from_bytes(data[head : head + 2], "big")):
            row = data[start + 8 * index : start + 8 * index + 8]
            if len(row) < 8:  # noqa: PLR2004
                raise _bad("is truncated")
            place, flags = int.from_bytes(row[4:6], "big"), row[6]
            if flags & (_INCOMPLETE | _PARENT):
                continue
            yield self._entry(extents, data[place:], flags)

    def _entry(self, extents: Sequence[Extent], entry: bytes, flags: int) -> tuple[str, bytes]:
        if len(entry) < 9:  # noqa: PLR2004
            raise _bad("is truncated")
        if flags & _LOCAL:
            value_bytes, name_bytes = struct.unpack_from(">HB", entry)
            name, value = entry[3 : 3 + name_bytes], entry[3 + name_bytes : 3 + name_bytes + value_bytes]
        else:
            block, value_bytes, name_bytes = struct.unpack_from(">IIB", entry)
            name, value = entry[9 : 9 + name_bytes], self._remote(extents, block, value_bytes)
        if len(name) < name_bytes or len(value) < value_bytes:
            raise _bad("is truncated")
        return _named(flags, name), value

    def _remote(self, extents: Sequence[Extent], block: int, size_bytes: int) -> bytes:
        """A value too large for a leaf; in version 5 each of its blocks has a header."""
        if size_bytes > MAX_XATTR_BYTES:
            raise _bad(f"a value of {size_bytes} bytes")
        value = b""
        while len(value) < size_bytes:
            data = self._block(extents, block)
            if self.is_v5 and not data.startswith(b"XARM"):
                raise _bad("a value in a block of another file")
            value += data[_REMOTE_HEADER:] if self.is_v5 else data
            block += 1
        return value[:size_bytes]


def _named(flags: int, name: bytes) -> str:
    return _PREFIXES.get(flags & 6, "") + name.decode("utf-8", "surrogateescape")


def _bad(problem: str) -> MalformedInputError:
    return MalformedInputError("XFS", field="attribute", offset=0, problem=problem)
