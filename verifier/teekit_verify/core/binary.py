"""Bounded reading of untrusted little-endian bytes: every overrun is our error, with offset and field."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from teekit_verify.core.errors import MalformedInputError


@dataclass(slots=True)
class Reader:
    """A cursor over `data`. `what` names the structure in errors; `base` is the offset of `data` in the whole input."""

    data: memoryview
    what: str
    base: int = 0
    position: int = 0

    @property
    def remaining(self) -> int:
        """Bytes from the position to the end."""
        return len(self.data) - self.position

    def fail(self, field: str, problem: str) -> MalformedInputError:
        """The error for the current position; raise what this returns."""
        return MalformedInputError(self.what, field=field, offset=self.base + self.position, problem=problem)

    def take(self, size_bytes: int, field: str) -> memoryview:
        """The next `size_bytes` bytes, without copying them. Raises MalformedInputError if fewer are left."""
        if size_bytes < 0 or size_bytes > self.remaining:
            raise self.fail(field, f"needs {size_bytes} bytes, {self.remaining} are left")
        start = self.position
        self.position += size_bytes
        return self.data[start : self.position]

    def u8(self, field: str) -> int:
        """The next byte. All of these raise MalformedInputError as `take` does."""
        return self.take(1, field)[0]

    def u16(self, field: str) -> int:
        return int.from_bytes(self.take(2, field), "little")

    def u32(self, field: str) -> int:
        return int.from_bytes(self.take(4, field), "little")

    def u64(self, field: str) -> int:
        return int.from_bytes(self.take(8, field), "little")

    def unpack(self, layout: str, field: str) -> tuple[int, ...]:
        """`struct.unpack` of a little-endian layout of integers, named as one field."""
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout), field))
