"""Fields of many entries: one difference each; if there are many, or more than a few that are alike, one for
the field with examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.fields import Field
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.explanation.pair import Pair

_MANY = 8
_FEW = 3


class ChangedField:
    """A field, as it is met in one entry after the other: of many that differ only the number and the first few are kept."""

    def __init__(self, where: Field | None, what: str) -> None:
        self._where, self._what = where, what
        self._first: list[tuple[str, str, str]] = []
        self._count = 0
        self._is_uniform = True

    def add(self, name: str, a: str, b: str) -> None:
        """What A and B have there. The number of links says nothing of what is a file on one side alone."""
        if a == b or (self._where is Field.LINK_COUNT and not (a and b)):
            return
        self._count += 1
        if len(self._first) < _MANY:
            self._first.append((name, a, b))
        self._is_uniform = self._is_uniform and (a, b) == self._first[0][1:]

    def told(self, pair: Pair) -> Iterator[Difference]:
        """One difference for each entry, or one with examples for all."""
        told = [
            Difference(
                name,
                Kind.METADATA,
                self._what,
                *(a, b, causes_of([Sighting((*pair.path, name), where=self._where, a=a, b=b)])),
            )
            for name, a, b in self._first
        ]
        if self._count > _MANY or (self._count > _FEW and self._is_uniform):
            name = f"{self._what} of {self._count} entries"
            yield Difference(
                name, Kind.METADATA, "differs", causes=told[0].causes, children=tuple(told), count=self._count
            )
        else:
            yield from told


def compare_field(
    pair: Pair, where: Field | None, what: str, values: Iterable[tuple[str, str, str]]
) -> Iterator[Difference]:
    """`values`: name of an entry, what A has, what B has."""
    changed = ChangedField(where, what)
    for row in values:
        changed.add(*row)
    return changed.told(pair)
