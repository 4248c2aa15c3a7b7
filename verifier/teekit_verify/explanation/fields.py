"""Fields of many entries: one difference each, or if there are many, one for the field with a few examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.explanation.culprits import causes_of
from teekit_verify.explanation.sighting import Sighting
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.explanation.examination import Pair

_MANY = 8
_EXAMPLES = 5


def compare_field(pair: Pair, where: str, what: str, values: Iterable[tuple[str, str, str]]) -> Iterator[Difference]:
    """`values`: name of an entry, what A has, what B has."""
    changed = [row for row in values if row[1] != row[2]]
    few = [
        Difference(name, Kind.METADATA, what, a, b, causes_of([Sighting((*pair.path, name), where=where, a=a, b=b)]))
        for name, a, b in (changed if len(changed) <= _MANY else changed[:_EXAMPLES])
    ]
    if len(changed) <= _MANY:
        yield from few
    else:
        name = f"{what} of {len(changed)} entries"
        yield Difference(name, Kind.METADATA, "differs", causes=few[0].causes, children=tuple(few))
