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


def compare_field(
    pair: Pair, where: Field | None, what: str, values: Iterable[tuple[str, str, str]]
) -> Iterator[Difference]:
    """`values`: name of an entry, what A has, what B has. The number of links says nothing of what is a file on one side alone."""
    changed = [row for row in values if row[1] != row[2] and not (where is Field.LINK_COUNT and "" in row[1:])]
    is_one = len(changed) > _MANY or (len(changed) > _FEW and len({row[1:] for row in changed}) == 1)
    told = [
        Difference(name, Kind.METADATA, what, a, b, causes_of([Sighting((*pair.path, name), where=where, a=a, b=b)]))
        for name, a, b in changed[:_MANY]
    ]
    if is_one:
        name = f"{what} of {len(changed)} entries"
        yield Difference(
            name, Kind.METADATA, "differs", causes=told[0].causes, children=tuple(told), count=len(changed)
        )
    else:
        yield from told
