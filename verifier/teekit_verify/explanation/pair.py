"""What is compared: the contents that A and B have at the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from teekit_verify.artifacts.blob import Blob


CERTIFICATE_TABLE = "certificate table"


class SectionName(str):
    """The name of a level that is a section of a PE file; `section` is what the file calls it. A file may have any name."""

    __slots__ = ("section",)

    section: str

    @classmethod
    def of(cls, section: str, number: int = 0) -> Self:
        """`number` counts from 0 those of the name: profiles of a UKI repeat names."""
        name = cls(f"section {section}" + (f" ({number + 1})" if number else ""))
        name.section = section
        return name

    @classmethod
    def of_signatures(cls) -> Self:
        """What the attribute certificate table holds, which stands behind the sections."""
        name = cls("signature")
        name.section = CERTIFICATE_TABLE
        return name


@frozen
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
