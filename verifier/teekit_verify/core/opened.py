"""A file that a command was given: opened once, and told by its two ends what it is.

Recognisers look at `head` and `tail`; parsers take the mapping, the stream or the bytes of the same opening, so that what was
recognised is what is parsed, whoever writes to the name in between.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from teekit_verify.core.files import opened, require_bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

END_BYTES = 4096
"""Of each end: more than any format needs to be told from others."""


@dataclass(slots=True)
class OpenedInput:
    """Not to be used after the `with` block of `open_input`. `head` and `tail` have at most END_BYTES, and overlap in small files."""

    path: Path
    stream: BinaryIO
    size_bytes: int
    head: bytes
    tail: bytes
    _beginning: bytes = field(default=b"", repr=False)

    @property
    def name(self) -> str:
        """Without folders."""
        return self.path.name

    def beginning(self, most_bytes: int) -> bytes:
        """At most so many bytes from the start; read once."""
        if len(self._beginning) < min(most_bytes, self.size_bytes):
            self.stream.seek(0)
            self._beginning = self.stream.read(most_bytes)
        return self._beginning[:most_bytes]

    def whole(self, most_bytes: int, what: str) -> bytes:
        """All bytes. Raises TeekitError for more than `most_bytes`; `what` is what is expected: "a key"."""
        return require_bounded(self.path, self.beginning(most_bytes + 1), most_bytes, what)


@contextmanager
def open_input(path: Path) -> Iterator[OpenedInput]:
    """Raises TeekitError for what the system says, while it is opened and in the block."""
    with opened(path) as stream:
        yield input_in(path, stream)


def input_in(path: Path, stream: BinaryIO) -> OpenedInput:
    """The same of a stream that is open: what a file was found to hold. `path` is what messages call it."""
    stream.seek(0)
    head = stream.read(END_BYTES)
    size_bytes = stream.seek(0, 2)
    stream.seek(max(0, size_bytes - END_BYTES))
    return OpenedInput(path, stream, size_bytes, head, stream.read(END_BYTES))
