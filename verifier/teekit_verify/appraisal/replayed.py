"""A log that was replayed, once: what is asked of it again, of every platform and register, is looked up.

Whoever sends a log chooses how long it is (16 MiB have a quarter of a million events), and whoever publishes a reference how many platforms
it has: no work is done for each pair of these.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from teekit_verify.appraisal.log_texts import contradictions
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.event_text import TextStatus, text_statuses
from teekit_verify.evidence.ima import in_register, is_whole_list
from teekit_verify.registers.replay import extend, replay

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from teekit_verify.appraisal.facts import Check
    from teekit_verify.core.digest import Algorithm, Digest
    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.registers.events import Event
    from teekit_verify.registers.registers import Register

_MOST_STARTS = 64
"""Values of a register that a reference may have an IMA list begin at. Real ones have a few."""


@frozen
class ReplayedLog:
    """`values`: of each bank, the registers that have events. `events`: of each register, with what their texts are worth, in order."""

    log: EventLog
    values: Mapping[Algorithm, Mapping[Register, Digest]]
    events: Mapping[Register, tuple[tuple[Event, TextStatus], ...]]
    forged: tuple[Check, ...]

    def value(self, register: Register, bank: Algorithm) -> Digest | None:
        """What the log leads to; None if it has no event of it, or was not replayed in this bank."""
        return self.values.get(bank, {}).get(register)

    def events_of(self, register: Register) -> tuple[Event, ...]:
        return tuple(event for event, _ in self.events.get(register, ()))


def replayed(log: EventLog, banks: Iterable[Algorithm]) -> ReplayedLog:
    """In those banks. Raises TeekitError for an event that has no digest of one of them."""
    statuses = text_statuses(log.events)
    events: dict[Register, list[tuple[Event, TextStatus]]] = {}
    for event, status in zip(log.events, statuses, strict=True):
        events.setdefault(event.register, []).append((event, status))
    return ReplayedLog(
        log,
        {bank: replay(log.events, bank) for bank in dict.fromkeys(banks)},
        {register: tuple(found) for register, found in events.items()},
        contradictions(log.events, statuses),
    )


@frozen
class Continued:
    """What IMA's list leads a register on to: `reached` has, for each start that leads to the quoted value, after how many entries."""

    reached: Mapping[Digest, int]
    listed: int


def continued(ima: EventLog, register: Register, quoted: Digest, starts: Iterable[Digest]) -> Continued:
    """The whole list, as it is at the time of the quote; from no start, if something else can have measured a part of it.

    Raises UnsupportedInputError for more starts than any reference has.
    """
    distinct = dict.fromkeys(starts)
    if len(distinct) > _MOST_STARTS:
        raise UnsupportedInputError(
            f"the reference has {len(distinct)} values of {register}, but an IMA list is replayed from {_MOST_STARTS} at most",
            hint="Name the platform, or leave the IMA list out.",
        )
    if not is_whole_list(ima):
        return Continued({}, len(ima.events))
    digests = [event.digest(quoted.algorithm) for event in in_register(ima, register)]
    found = {start: _steps(start, digests, quoted) for start in distinct}
    return Continued({start: steps for start, steps in found.items() if steps is not None}, len(digests))


def _steps(start: Digest, digests: list[Digest], wanted: Digest) -> int | None:
    values = enumerate(accumulate(digests, extend, initial=start))
    return next((number for number, value in values if number and value == wanted), None)
