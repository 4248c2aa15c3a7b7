"""The events of a log whose texts contradict their digests. One is enough to refuse the log: somebody changed it.

Rules. `evidence.event_text` knows for which types of events the text is what the digest is of; only those can be forged.
Non-rules: that a text agrees with its digest says nothing of the quote, which the digests must lead to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.outcome import Outcome
from teekit_verify.evidence.event_text import TextStatus, text_statuses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.appraisal.facts import Check
    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.registers.events import Event


def forged_texts(log: EventLog) -> tuple[Check, ...]:
    """A mismatch for each forged text, in the order of the log; nothing for a log that nothing contradicts."""
    return contradictions(log.events, text_statuses(log.events))


def contradictions(events: Sequence[Event], statuses: Sequence[TextStatus]) -> tuple[Check, ...]:
    """The same where it is known what each text is worth."""
    if TextStatus.FORGED not in statuses:
        return ()
    # Imported when there is something to say: a log that is only replayed starts without the checks.
    from teekit_verify.appraisal.facts import Check, EventName, EventTextCheck, ForgedText

    return tuple(
        Check(
            EventTextCheck(event.register, number),
            Outcome.MISMATCH,
            reason=ForgedText(EventName(event.description, event.event_type)),
        )
        for number, (event, status) in enumerate(zip(events, statuses, strict=True), start=1)
        if status is TextStatus.FORGED
    )
