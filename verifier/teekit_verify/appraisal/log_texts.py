"""The events of a log whose texts contradict their digests. One is enough to refuse the log: somebody changed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.outcome import Check, Outcome
from teekit_verify.evidence.event_text import TextStatus, text_statuses
from teekit_verify.registers.events import event_type_name

if TYPE_CHECKING:
    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.registers.events import Event


@dataclass(frozen=True, slots=True)
class ForgedText:
    """`number` counts the events of the log from 1."""

    number: int
    event: Event

    def in_words(self) -> str:
        """One line, safe for a terminal."""
        event = self.event
        return (
            f"FORGED: event {self.number} ({event.register} {event_type_name(event.event_type)}): its digest is not that "
            f"of its text, {event.description}"
        )


def forged_texts(log: EventLog) -> tuple[ForgedText, ...]:
    """In the order of the log."""
    statuses = text_statuses(log.events)
    return tuple(
        ForgedText(number, event)
        for number, (event, status) in enumerate(zip(log.events, statuses, strict=True), start=1)
        if status is TextStatus.FORGED
    )


def forged_checks(log: EventLog) -> tuple[Check, ...]:
    """A mismatch for each forged text; nothing for a log that nothing contradicts."""
    return tuple(
        Check(f"event log text, event {item.number}", Outcome.MISMATCH, detail=item.in_words())
        for item in forged_texts(log)
    )
