"""What a published format is to the loader, and what its readers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from teekit_verify.reference.published import ReferenceValues


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be recognised: its bytes, and what they are as JSON (None for other files). `where` names it in errors."""

    where: str
    data: bytes
    json: object


@dataclass(frozen=True, slots=True)
class Format:
    """A published format. `recognises` looks at the outermost fields only; `read` refuses what it does not know."""

    name: str
    recognises: Callable[[Source], bool]
    read: Callable[[Source], Sequence[ReferenceValues]]
