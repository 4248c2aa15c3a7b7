"""A disk whose blocks lie anywhere in a file, or nowhere: a read-only stream over what qcow2, VHDX and dynamic VHD have in common."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Protocol

from teekit_verify.artifacts.blob import SeekableRaw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

    from teekit_verify.artifacts.blob import Blob

_BUFFER_BYTES = 1 << 16
_PIECE_BYTES = 1 << 18


class Blocks(Protocol):
    """Where a disk's bytes are. `size_bytes` is the disk's."""

    @property
    def size_bytes(self) -> int: ...

    def stretch(self, offset: int) -> Blob | bytes | int:
        """The bytes from `offset` on as far as they lie in one piece, or how many zeros there are. Never empty inside of the disk.

        Raises TeekitError for what is damaged.
        """


class VirtualDisk(SeekableRaw):
    """The disk as a stream, for readers that touch few of its bytes."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__(blocks.size_bytes)
        self._blocks = blocks

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Up to the end of a stretch."""
        target = memoryview(buffer).cast("B")[: max(0, self.size_bytes - self._position)]
        if not target:
            return 0
        data = _start_of(self._blocks.stretch(self._position), 0, len(target))
        target[: len(data)] = data
        self._position += len(data)
        return len(data)


def _start_of(found: Blob | bytes | int, start: int, size_bytes: int) -> bytes:
    if isinstance(found, int):
        return bytes(min(found, size_bytes))
    return found[start : start + size_bytes] if isinstance(found, bytes) else found.read(start, size_bytes)


def stream_of(blocks: Blocks) -> io.BufferedReader:
    return io.BufferedReader(VirtualDisk(blocks), _BUFFER_BYTES)


def pieces_of(blocks: Blocks) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of all that is not left out as zeros, in order. Raises TeekitError for what is damaged."""
    at = 0
    while at < blocks.size_bytes:
        found = blocks.stretch(at)
        if isinstance(found, int):
            at += found
            continue
        left = min(len(found) if isinstance(found, bytes) else found.size_bytes, blocks.size_bytes - at)
        for place in range(0, left, _PIECE_BYTES):
            piece = _start_of(found, place, min(_PIECE_BYTES, left - place))
            if piece.count(0) != len(piece):
                yield at + place, piece
        at += left
