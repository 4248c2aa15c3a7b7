"""Why two event lists of one register differ: the events that are not the same, and what is behind them.

Rules. Events are the same if their digests are, in the bank that is asked about, and in the same order; what extends nothing is left out.
Non-rules: this explains a mismatch that was decided by the values. It decides only where neither value is known, and then only against.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.facts import EventDifference, EventName
from teekit_verify.evidence.meaning import Meaning, explain
from teekit_verify.prediction.causes import CauseKind, cause_of
from teekit_verify.registers.align import Divergence, DivergenceKind
from teekit_verify.registers.events import EventType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from teekit_verify.core.digest import Algorithm
    from teekit_verify.registers.events import Event
    from teekit_verify.registers.registers import Register

Pair = tuple["Event | None", "Event | None"]
"""An expected event and the one found in its place; None where one side has nothing."""


Place = tuple[str, "Register"]
"""A platform, and a register of it."""

MOST_DIFFERENCES = 200
"""Nobody reads on, and what each of them means is asked of the whole log."""


def aligned(expected: Sequence[Event], found: Sequence[Event], bank: Algorithm) -> Iterator[Pair]:
    """Both logs of one register side by side, in order: after an event that only one side has, they meet again.

    Events that extend nothing are left out. The work grows with the number of events, not with its square: a guest chooses how many.
    """
    expected, found = _extending(expected), _extending(found)
    wanted, seen = ([event.digest(bank).value for event in side] for side in (expected, found))
    last_wanted, last_seen = ({digest: at for at, digest in enumerate(side)} for side in (wanted, seen))
    i = j = 0
    while i < len(expected) or j < len(found):
        one, other = expected[i : i + 1], found[j : j + 1]
        if one and other and wanted[i] != seen[j]:
            returns = last_seen.get(wanted[i], -1) >= j, last_wanted.get(seen[j], -1) >= i
            one = [] if returns == (True, False) else one
            other = [] if returns == (False, True) else other
        yield one[0] if one else None, other[0] if other else None
        i, j = i + len(one), j + len(other)


def _extending(events: Sequence[Event]) -> Sequence[Event]:
    return [event for event in events if event.event_type != EventType.EV_NO_ACTION]


def event_differences(
    platform: str, bank: Algorithm, expected: Sequence[Event], found: Sequence[Event]
) -> tuple[EventDifference, ...]:
    """The places where two logs of one register part, the first one first; empty if they agree, event by event.

    At most MOST_DIFFERENCES: the last one has how many more there are. Types and descriptions alone are not a difference: they extend nothing.
    """
    differences: list[EventDifference] = []
    position, left_out, has_data = 1, 0, any(event.data for event in found)
    for wanted, seen in aligned(expected, found, bank):
        if wanted is None or seen is None or wanted.digest(bank) != seen.digest(bank):
            if len(differences) == MOST_DIFFERENCES:
                left_out += 1
                continue
            means = _meaning(bank, position, (wanted, seen), found) if has_data else None
            differences.append(_difference(platform, bank, position, (wanted, seen), means))
        position += seen is not None
    return (*differences[:-1], replace(differences[-1], left_out=left_out)) if left_out else tuple(differences)


def left_out(differences: Iterable[EventDifference]) -> int:
    """How many events differ that are not listed."""
    return sum(difference.left_out for difference in differences)


def _meaning(bank: Algorithm, position: int, pair: Pair, found: Sequence[Event]) -> Meaning | None:
    """What a guest's own log says about the difference; predicted events have no data to say it."""
    wanted, seen = pair
    event = seen or wanted
    if event is None:
        return None
    kind = DivergenceKind.EXTRA if wanted is None else DivergenceKind.MISSING
    kind = kind if wanted is None or seen is None else DivergenceKind.DIFFERENT
    return explain(Divergence(event.register, kind, position, bank, wanted, seen), found)


def _difference(platform: str, bank: Algorithm, position: int, pair: Pair, means: Meaning | None) -> EventDifference:
    wanted, seen = pair
    event = seen or wanted
    assert event is not None  # noqa: S101 - `aligned` gives no empty pairs
    cause = next((one.cause for one in (seen, wanted) if one is not None and one.cause), "")
    return EventDifference(
        platform=platform,
        register=event.register,
        bank=bank,
        position=position,
        expected="" if wanted is None else wanted.digest(bank).hex,
        found="" if seen is None else seen.digest(bank).hex,
        cause=cause,
        origin=cause_of(cause),
        wanted=_name(wanted),
        seen=_name(seen),
        means=means,
    )


def causes(differences: Sequence[EventDifference]) -> tuple[tuple[str, tuple[Place, ...]], ...]:
    """What to look at (empty: not known), each with the places it shows in. The parts of a thing come before the whole."""
    places: dict[str, dict[Place, None]] = {}
    for difference in differences:
        places.setdefault(difference.cause, {})[difference.platform, difference.register] = None
    ordered = sorted(places, key=lambda cause: cause_of(cause).kind is CauseKind.UKI)
    return tuple((cause, tuple(places[cause])) for cause in ordered)


def _name(event: Event | None) -> EventName | None:
    return None if event is None else EventName(event.description, event.event_type)
