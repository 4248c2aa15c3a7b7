"""Maps of files, for parsers that touch few of their bytes."""

from __future__ import annotations

import mmap
from contextlib import contextmanager, suppress
from threading import Event
from typing import TYPE_CHECKING

from teekit_verify.core.beside import Beside
from teekit_verify.core.digest import Algorithm, Digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.core.files import OpenedInput

_EXECUTABLE = b"MZ"
_PIECE_BYTES = 1 << 23
MAX_UKI_BYTES = 4 << 30
"""PE file offsets have 32 bits."""


@contextmanager
def viewed(mapped: mmap.mmap, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
    """The bytes of a map from `start` up to `stop`; neither view nor map must be used after the `with` block."""
    whole = memoryview(mapped)
    view = whole[start:stop]
    try:
        yield view
    finally:
        view.release()
        whole.release()
        with suppress(BufferError):  # a caller still holds a piece; the map goes with its last piece
            mapped.close()


@contextmanager
def whole(file: OpenedInput) -> Iterator[memoryview]:
    """All of an opened file, read-only, within the `with` block. An empty file has no map (ValueError): ask for its size before."""
    with viewed(mmap.mmap(file.stream.fileno(), 0, access=mmap.ACCESS_READ)) as view:
        yield view


@contextmanager
def whole_digest(file: OpenedInput) -> Iterator[Beside[Digest] | None]:
    """The SHA-256 of a file that begins as a UKI does, on a thread of its own from now on; None for any other."""
    if not file.head.startswith(_EXECUTABLE) or file.size_bytes > MAX_UKI_BYTES:
        yield None
        return
    stopped = Event()
    with whole(file) as view, Beside(lambda: Digest.of_parts(Algorithm.SHA256, _pieces(view, stopped))) as digest:
        try:
            yield digest
        finally:
            stopped.set()  # a file that turned out to be something else is not hashed to its end


def _pieces(view: memoryview, stopped: Event) -> Iterator[memoryview]:
    """Large ones, as the interpreter is needed between them. Raises rather than ends too early."""
    for start in range(0, len(view), _PIECE_BYTES):
        if stopped.is_set():
            raise RuntimeError("nobody asks for the digest any more")
        yield view[start : start + _PIECE_BYTES]
