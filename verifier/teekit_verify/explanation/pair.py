"""What is compared: the contents that A and B have at the same place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from teekit_verify.artifacts.blob import Blob


@dataclass(frozen=True, slots=True)
class Pair:
    """What A and B have at the same place. `path` are the names that lead there, its own last."""

    path: tuple[str, ...]
    a: Blob
    b: Blob

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def sizes(self) -> tuple[str, str]:
        """In words, if they differ."""
        a, b = self.a.size_bytes, self.b.size_bytes
        return (f"{a} bytes", f"{b} bytes") if a != b else ("", "")

    def inner(self, name: str, a: Blob, b: Blob) -> Pair:
        return Pair((*self.path, name), a, b)
