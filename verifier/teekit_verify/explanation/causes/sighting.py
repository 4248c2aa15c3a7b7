"""One place where two artifacts differ, as the tables of known culprits look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.frozen import frozen
from teekit_verify.explanation.pair import SectionName

if TYPE_CHECKING:
    from collections.abc import Callable

    from teekit_verify.artifacts.fields import Field
    from teekit_verify.explanation.tree import Cause


@frozen
class Sighting:
    """One place where A and B differ.

    `path` leads there; `where` is the field, and `elf_section` the name of the section; None and empty for the content itself. `a` and `b` are the text there: a
    line, a value, or the printable text around changed bytes. `raw_a`, `raw_b` are the bytes from an 8-byte boundary on.
    """

    path: tuple[str, ...]
    where: Field | None = None
    elf_section: str = ""
    a: str = ""
    b: str = ""
    is_text: bool = False
    raw_a: bytes = b""
    raw_b: bytes = b""
    changed_bytes: int = 0
    ordered_a: tuple[str, ...] = ()
    ordered_b: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """The path of the file inside the archive or image."""
        return self.path[-1] if self.path else ""

    @property
    def section(self) -> str:
        """The PE section whose content this is, as ".uname"; empty for anything else."""
        last = self.path[-1] if self.path else ""
        return last.section if isinstance(last, SectionName) else ""


@frozen
class Culprit:
    """A row of a table of known culprits."""

    cause: Cause
    recognise: Callable[[Sighting], bool]
