"""Compares the predicted and the observed event sequence of one register, and says in words where they part."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.registers.events import EventType, event_type_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.core.digest import Algorithm
    from teekit_verify.registers.events import Event
    from teekit_verify.registers.registers import Register


class DivergenceKind(Enum):
    """What is wrong where two sequences part."""

    MISSING = "missing event"
    EXTRA = "extra event"
    DIFFERENT = "digest differs"


@frozen
class Divergence:
    """The first place where the sequences part. `position` counts the register's events from 1, those before it agree.

    `predicted` is None for an extra event, `observed` for a missing one.
    """

    register: Register
    kind: DivergenceKind
    position: int
    algorithm: Algorithm
    predicted: Event | None
    observed: Event | None

    @property
    def cause(self) -> str:
        """Where the predicted event's bytes come from; empty for an extra event."""
        return self.predicted.cause if self.predicted else ""

    def in_words(self) -> str:
        """One sentence: which event of which register, what is wrong with it, and what to look at."""
        place = f"{self.register} event {self.position}"
        if self.predicted is None:
            return f"{place}: extra event {_named(self.observed)}, which was not predicted"
        if self.observed is None:
            return f"{place}: missing event {_named(self.predicted)}, caused by {self.cause or 'an unknown part'}"
        return (
            f"{place}: digest differs for {_named(self.predicted)}: predicted {self.predicted.digest(self.algorithm)}, "
            f"found {self.observed.digest(self.algorithm)} ({_named(self.observed)}); "
            f"look at: {self.cause or 'an unknown part'}"
        )


def first_divergence(
    predicted: Iterable[Event], observed: Iterable[Event], register: Register, algorithm: Algorithm
) -> Divergence | None:
    """The first divergence between two logs in one register and bank, or None if every event agrees.

    Events of other registers and EV_NO_ACTION, which extends nothing, are passed over. Only digests are compared: they
    alone decide the register. Raises TeekitError if neither log has an event there: nothing would be compared.
    """
    expected, found = _of(predicted, register), _of(observed, register)
    if not expected and not found:
        raise TeekitError(f"neither event log has an event of {register}: there is nothing to compare")
    wanted = [event.digest(algorithm) for event in expected]
    seen = [event.digest(algorithm) for event in found]
    at = next((number for number, pair in enumerate(zip(wanted, seen, strict=False)) if pair[0] != pair[1]), None)
    if at is None:
        at = min(len(wanted), len(seen))
        if len(wanted) == len(seen):
            return None
    is_extra = at == len(wanted) or (at < len(seen) and wanted[at] in seen[at:] and seen[at] not in wanted[at:])
    is_missing = at == len(seen) or (at < len(wanted) and seen[at] in wanted[at:] and wanted[at] not in seen[at:])
    return Divergence(
        register=register,
        kind=DivergenceKind.EXTRA if is_extra else DivergenceKind.MISSING if is_missing else DivergenceKind.DIFFERENT,
        position=at + 1,
        algorithm=algorithm,
        predicted=None if is_extra else expected[at],
        observed=None if is_missing else found[at],
    )


def _of(events: Iterable[Event], register: Register) -> list[Event]:
    return [event for event in events if event.register == register and event.event_type != EventType.EV_NO_ACTION]


def _named(event: Event | None) -> str:
    return "" if event is None else f"{event_type_name(event.event_type)} {printable(event.description)!r}"
