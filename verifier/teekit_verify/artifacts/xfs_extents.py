"""Where the bytes of a file of XFS are: lists of extents, and B+trees of them (fs/xfs/libxfs/xfs_format.h, xfs_bmbt_rec, xfs_bmdr_block)."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from teekit_verify.artifacts.filetree import Meter
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from teekit_verify.artifacts.blob import Blob

_RECORD_BYTES = 16
_MAX_EXTENTS = 1 << 20
_MAX_LEVELS = 12
_HEADERS = {False: (b"BMAP", 24), True: (b"BMA3", 72)}


@frozen
class Extent:
    """`count` blocks of a file from block `offset` of it on, at block `start` of the file system."""

    offset: int
    start: int
    count: int
    is_unwritten: bool


@frozen
class ExtentReader:
    """`address` gives the offset of a block of the file system in the image."""

    blob: Blob
    block_bytes: int
    address: Callable[[int], int]
    is_v5: bool
    meter: Meter = field(default_factory=lambda: Meter.of("XFS", 0))

    def bytes_of(self, extent: Extent) -> Blob:
        """Raises MalformedInputError for one that does not lie in the image."""
        size = extent.count * self.block_bytes
        part = self.blob.part(self.address(extent.start), size)
        self.address(extent.start + extent.count - 1)
        if part.size_bytes < size:
            raise _bad(extent.start, "lies outside the image")
        return part

    def inline(self, fork: bytes, count: int) -> list[Extent]:
        """As an inode has them itself."""
        if count * _RECORD_BYTES > len(fork):
            raise _bad(0, f"{count} of them do not fit into the inode")
        self.meter.spend(_RECORD_BYTES, count)
        return [_extent(fork, at) for at in range(0, count * _RECORD_BYTES, _RECORD_BYTES)]

    def tree(self, fork: bytes) -> list[Extent]:
        """As a tree has them whose root is in the inode."""
        count, most = int.from_bytes(fork[2:4], "big"), (len(fork) - 4) // _RECORD_BYTES
        if count > most or not 0 < int.from_bytes(fork[:2], "big") <= _MAX_LEVELS:
            raise _bad(0, "a root that does not fit into the inode")
        found: list[Extent] = []
        for block in _pointers(fork, 4 + 8 * most, count):
            for extent in self._below(block, int.from_bytes(fork[:2], "big")):
                if found and extent.offset < found[-1].offset + found[-1].count:
                    raise _bad(extent.start, "out of order")
                found.append(extent)
                if len(found) > _MAX_EXTENTS:
                    raise UnsupportedInputError(f"XFS: a file in more than {_MAX_EXTENTS} pieces")
        return found

    def _below(self, block: int, levels_left: int) -> Iterator[Extent]:
        at = self.address(block)
        self.meter.spend(self.block_bytes)
        data = self.blob.read(at, self.block_bytes)
        magic, header = _HEADERS[self.is_v5]
        level, count = int.from_bytes(data[4:6], "big"), int.from_bytes(data[6:8], "big")
        if not data.startswith(magic) or level >= levels_left or header + count * _RECORD_BYTES > len(data):
            raise _bad(at, "a block of the tree is malformed, or deeper than the tree")
        if not count:
            raise _bad(at, "a block of the tree that is empty")
        if level:
            most = (len(data) - header) // _RECORD_BYTES
            for below in _pointers(data, header + 8 * most, count):
                yield from self._below(below, level)
        else:
            self.meter.spend(_RECORD_BYTES, count)
            yield from (_extent(data, header + _RECORD_BYTES * index) for index in range(count))


def _pointers(data: bytes, start: int, count: int) -> list[int]:
    return [int.from_bytes(data[at : at + 8], "big") for at in range(start, start + 8 * count, 8)]


def _extent(data: bytes, at: int) -> Extent:
    """1 bit unwritten, 54 bits offset, 52 bits start, 21 bits count."""
    row = int.from_bytes(data[at : at + _RECORD_BYTES], "big")
    return Extent(row >> 73 & (1 << 54) - 1, row >> 21 & (1 << 52) - 1, row & (1 << 21) - 1, bool(row >> 127))


def _bad(offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError("XFS", field="extents", offset=offset, problem=problem)
