"""A stretch of an open file, read piece by piece: memory does not grow with it, and threads may share the file."""

from __future__ import annotations

import io
import mmap
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from teekit_verify.artifacts.mapped import viewed
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

PIECE_BYTES = 1 << 18


@frozen
class Blob:
    """`size_bytes` bytes of the file behind `descriptor`, from `start` on. Not to be used after that file is closed."""

    descriptor: int
    start: int
    size_bytes: int

    @classmethod
    def of(cls, descriptor: int) -> Blob:
        """The whole file."""
        return cls(descriptor, 0, os.fstat(descriptor).st_size)

    def part(self, start: int, size_bytes: int) -> Blob:
        """A stretch of this one; what would lie outside is left out."""
        start = min(max(0, start), self.size_bytes)
        return Blob(self.descriptor, self.start + start, min(max(0, size_bytes), self.size_bytes - start))

    def read(self, offset: int, limit_bytes: int) -> bytes:
        """At most `limit_bytes` from `offset` on: fewer only at the end (or where the file was cut short meanwhile), none before the start."""
        wanted = min(limit_bytes, self.size_bytes - offset) if offset >= 0 else 0
        return os.pread(self.descriptor, wanted, self.start + offset) if wanted > 0 else b""

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from `start` to the end, in pieces of at most PIECE_BYTES."""
        while piece := self.read(start, PIECE_BYTES):
            yield piece
            start += len(piece)

    def stream(self, start: int = 0) -> io.BufferedReader:
        """A seekable stream of its own over the blob, standing at `start`."""
        raw = _Raw(self)
        raw.seek(start)
        return io.BufferedReader(raw, PIECE_BYTES)

    @contextmanager
    def view(self) -> Iterator[memoryview]:
        """The bytes as a read-only map, for parsers that touch few of them."""
        if not self.size_bytes:
            yield memoryview(b"")
            return
        before = self.start % mmap.ALLOCATIONGRANULARITY
        length = self.size_bytes + before
        mapped = mmap.mmap(self.descriptor, length, access=mmap.ACCESS_READ, offset=self.start - before)
        with viewed(mapped, before) as view:
            yield view


class SeekableRaw(io.RawIOBase):
    """What read-only streams with a place share. `size_bytes` is the place of the end; the rest of a class is `readinto`."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__()
        self.size_bytes = size_bytes
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size_bytes}[whence]
        self._position = max(0, base + offset)
        return self._position


class _Raw(SeekableRaw):
    def __init__(self, blob: Blob) -> None:
        super().__init__(blob.size_bytes)
        self._blob = blob

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        data = self._blob.read(self._position, len(target))
        target[: len(data)] = data
        self._position += len(data)
        return len(data)


def first_difference(one: Blob, other: Blob) -> int | None:
    """The offset of the first different byte (a shorter blob differs where it ends); None if there is none."""
    offset = _equal_pieces(one, other)
    while True:
        left, right = one.read(offset, PIECE_BYTES), other.read(offset, PIECE_BYTES)
        if left != right:
            return offset + common_prefix(left, right)
        if not left:
            return None
        offset += len(left)


def _equal_pieces(one: Blob, other: Blob) -> int:
    """The bytes of the whole pieces in front that are equal, read into the same memory again and again."""
    sides = bytearray(PIECE_BYTES), bytearray(PIECE_BYTES)
    for offset in range(0, min(one.size_bytes, other.size_bytes) - PIECE_BYTES + 1, PIECE_BYTES):
        counts = [
            os.preadv(blob.descriptor, [side], blob.start + offset)
            for blob, side in zip((one, other), sides, strict=True)
        ]
        if counts != [PIECE_BYTES, PIECE_BYTES] or sides[0] != sides[1]:
            return offset
    return min(one.size_bytes, other.size_bytes) // PIECE_BYTES * PIECE_BYTES


def common_prefix(left: bytes, right: bytes) -> int:
    """How many bytes are equal from the beginning. Halving is quicker than looking at each."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
