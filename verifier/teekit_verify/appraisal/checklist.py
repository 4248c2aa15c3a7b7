"""The result of an appraisal: what was compared, what was not, and the exit status that follows."""

from __future__ import annotations

from dataclasses import dataclass

from teekit_verify.core.outcome import Check, ExitStatus, Outcome


@dataclass(frozen=True, slots=True)
class EventDifference:
    """An event in which one register's log leaves the reference.

    `position` counts the events found from 1. `expected` and `found` are digests in hexadecimal, empty on the side
    whose log has ended. `cause` is where the bytes come from ("UKI section .cmdline"), `text` the whole in one sentence.
    """

    platform: str
    register: str
    bank: str
    position: int
    expected: str
    found: str
    cause: str
    text: str


@dataclass(frozen=True, slots=True)
class Checklist:
    """`checks` decide. `ignored` do not, because the reference says so in writing; they are shown in every verdict."""

    checks: tuple[Check, ...]
    ignored: tuple[Check, ...] = ()
    differences: tuple[EventDifference, ...] = ()

    def __bool__(self) -> bool:
        raise TypeError("a Checklist has no truth value: ask for its conclusion")

    def of(self, *outcomes: Outcome) -> tuple[Check, ...]:
        """The checks with one of these outcomes, in order."""
        return tuple(check for check in self.checks if check.outcome in outcomes)

    def __add__(self, other: Checklist) -> Checklist:
        return Checklist(self.checks + other.checks, self.ignored + other.ignored, self.differences + other.differences)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The exit status, and in words why it is not HOLDS."""

    status: ExitStatus
    reasons: tuple[str, ...]


def conclude(checklist: Checklist) -> Conclusion:
    """One mismatch is enough to say no; only matches, and at least one, say yes; everything else is no verdict."""
    mismatches = checklist.of(Outcome.MISMATCH)
    open_questions = checklist.of(Outcome.ERROR, Outcome.NOT_CHECKED)
    if mismatches:
        return Conclusion(ExitStatus.DOES_NOT_HOLD, tuple(map(in_words, mismatches + open_questions)))
    if open_questions:
        return Conclusion(ExitStatus.NO_VERDICT, tuple(map(in_words, open_questions)))
    matches = checklist.of(Outcome.MATCH)
    if not matches:
        return Conclusion(ExitStatus.NO_VERDICT, ("nothing was compared",))
    return Conclusion(ExitStatus.HOLDS, ())


def in_words(check: Check) -> str:
    """`PCR4 sha256: mismatch: first difference: ...` in one line."""
    return f"{check.name}: {check.outcome.value}" + (f": {check.detail}" if check.detail else "")
