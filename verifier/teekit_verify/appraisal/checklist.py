"""The result of an appraisal: what was compared, what was not, and the exit status that follows.

Rules: one mismatch is enough to say no. Only matches, at least one, say yes; whatever was asked for and not compared whole
leaves no verdict. An open register (its value is not known to anybody, its known events agree) is no match and is counted;
it leaves no verdict unless the very bytes it follows from were compared with published ones, and are the same.
Non-rules: what was ignored, what explains a difference, and the order of the checks decide nothing.
"""

from __future__ import annotations

from enum import Enum

from teekit_verify.appraisal.facts import (
    ArtifactCheck,
    ArtifactPart,
    Check,
    EventDifference,
    RegisterCheck,
    Side,
    ValueNotKnown,
)
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import ExitStatus, Outcome


@frozen
class Checklist:
    """`checks` decide. `ignored` do not: what nobody asked to be compared, or said need not be. They are shown in every verdict."""

    checks: tuple[Check, ...]
    ignored: tuple[Check, ...] = ()
    differences: tuple[EventDifference, ...] = ()

    def __bool__(self) -> bool:
        raise TypeError("a Checklist has no truth value: ask for its conclusion")

    def of(self, *outcomes: Outcome) -> tuple[Check, ...]:
        """The checks with one of these outcomes, in order."""
        return tuple(check for check in self.checks if check.outcome in outcomes)

    @property
    def open_registers(self) -> tuple[RegisterCheck, ...]:
        """Those whose value is not known, each once (its first bank)."""
        found = {
            (check.subject.platform, check.subject.register): check.subject
            for check in reversed(self.of(Outcome.OPEN))
            if isinstance(check.subject, RegisterCheck)
        }
        return tuple(reversed(found.values()))

    def __add__(self, other: Checklist) -> Checklist:
        return Checklist(self.checks + other.checks, self.ignored + other.ignored, self.differences + other.differences)


class Note(Enum):
    """Reasons for a conclusion that are no check's."""

    NOTHING_COMPARED = "nothing_compared"
    NOT_AUTHENTIC = "not_authentic"
    DUMMY_QUOTE = "dummy_quote"


@frozen
class NoneMatches:
    """Of `count` published images; `name` comes closest."""

    count: int
    name: str


@frozen
class NotAcceptable:
    """A fact about the quote that nobody should rely on."""

    check: Check


ConclusionReason = Check | Note | NoneMatches | NotAcceptable


@frozen
class Conclusion:
    """The exit status, and why it is not HOLDS, the decisive reasons first."""

    status: ExitStatus
    reasons: tuple[ConclusionReason, ...]


def conclude(checklist: Checklist) -> Conclusion:
    """The rules of this module's head."""
    mismatches, unsettled = checklist.of(Outcome.MISMATCH), _unsettled(checklist)
    if mismatches:
        return Conclusion(ExitStatus.DOES_NOT_HOLD, mismatches + unsettled)
    if unsettled:
        return Conclusion(ExitStatus.NO_VERDICT, unsettled)
    if not checklist.of(Outcome.MATCH):
        return Conclusion(ExitStatus.NO_VERDICT, (Note.NOTHING_COMPARED,))
    return Conclusion(ExitStatus.HOLDS, ())


def _unsettled(checklist: Checklist) -> tuple[Check, ...]:
    same_bytes = any(
        isinstance(check.subject, ArtifactCheck) and check.subject.part is ArtifactPart.FILE
        for check in checklist.of(Outcome.MATCH)
    )
    return tuple(
        check
        for check in checklist.checks
        if check.outcome not in {Outcome.MATCH, Outcome.MISMATCH}
        and not (same_bytes and check.outcome is Outcome.OPEN and _known_to_nobody(check))
    )


def _known_to_nobody(check: Check) -> bool:
    return isinstance(check.reason, ValueNotKnown) and check.reason.side is Side.BOTH
