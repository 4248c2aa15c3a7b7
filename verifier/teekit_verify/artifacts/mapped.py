"""Maps of files, for parsers that touch few of their bytes."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator


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
