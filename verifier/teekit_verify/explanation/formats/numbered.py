"""Parts that are told by their names, of which a file may have several: sections, members."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Part = TypeVar("_Part", bound=_Named)


def numbered(parts: Iterable[_Part]) -> dict[tuple[str, int], _Part]:
    """By name, and number among those of the name, in order."""
    seen: Counter[str] = Counter()
    found = {}
    for part in parts:
        found[part.name, seen[part.name]] = part
        seen[part.name] += 1
    return found
