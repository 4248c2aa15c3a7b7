"""What the states of releases and statements are called on the site, and the colour of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.repository import Conflict
from teekit_verify.appraisal.statements.survey import Cell, State, Weight
from teekit_verify.appraisal.statements.threshold import ClaimPart
from teekit_verify.reference.signing.dsse import Standing
from teekit_verify.reference.signing.log import LogStanding
from teekit_verify.wording import logs

if TYPE_CHECKING:
    from teekit_verify.appraisal.statements.survey import Entry, SurveyedRelease


@dataclass(frozen=True, slots=True)
class Words:
    """`accent` is good, bad or open."""

    accent: str
    text: str


STATES = {
    State.CONTRADICTED: Words("bad", "contradicted"),
    State.NOT_IN_ORDER: Words("bad", "not in order"),
    State.WITHDRAWN: Words("bad", "withdrawn"),
    State.REPRODUCED: Words("good", "reproduced"),
    State.NOT_REPRODUCED: Words("open", "not reproduced yet"),
}
WEIGHTS = {
    Weight.AGREES: Words("good", "agrees"),
    Weight.MISMATCH: Words("bad", "states a MISMATCH"),
    Weight.DIFFERS: Words("bad", "states something else than was published"),
    Weight.CONTRADICTS_ITSELF: Words("bad", "contradicts itself: not counted"),
    Weight.OTHER_RELEASE: Words("open", "about another release: not counted"),
    Weight.NOT_LOGGED: Words("open", "in no log: not counted"),
    Weight.NOT_TRUSTED: Words("open", "not counted"),
    Weight.UNREADABLE: Words("open", "cannot be read"),
    Weight.LINK: Words("open", "is a link: not read"),
}
STANDINGS = {
    Standing.GOOD: Words("good", "good signature"),
    Standing.EXPIRED: Words("open", "the key has expired"),
    Standing.BAD_SIGNATURE: Words("bad", "bad signature: it names a trusted key, which did not make it"),
    Standing.NO_KEY: Words("open", "unknown signature: no trusted key made it, so anybody may have written the file"),
}
CELLS = {
    Cell.SAME: Words("good", "same bytes"),
    Cell.OTHER: Words("bad", "other bytes"),
    Cell.NOT_STATED: Words("open", "not stated"),
}
DIFFERENCES = {
    ClaimPart.ARTIFACTS: "other artifacts",
    ClaimPart.COMMIT: "another source commit",
    ClaimPart.INPUTS: "other inputs",
}
_CONFLICTS = {
    Conflict.MISMATCH: "built something else than was published",
    Conflict.DIFFERENT_RESULTS: "stated other artifacts, inputs or another commit than were published",
    Conflict.OWN_STATEMENTS: "signed statements that contradict each other",
}


def logged(entry: Entry) -> Words | None:
    """Whether a statement is in a log; None where nobody asked. Only what was not proven yet is no fault of somebody's."""
    if entry.log is None:
        return None
    standing, text = entry.log.standing, logs.found_in_log(entry.log)
    if standing is LogStanding.LOGGED:
        return Words("good", f"logged: {text}")
    waiting = standing in {LogStanding.NO_PROOF, LogStanding.NO_QUORUM}
    return Words("open" if waiting else "bad", f"not logged: {text}")


def conflict(what: Conflict, auditors: tuple[str, ...]) -> str:
    return f"{', '.join(auditors)} {_CONFLICTS[what]}"


def lead(release: SurveyedRelease) -> str:
    """One sentence below the name of a release."""
    count = len(release.agreeing)
    match release.state:
        case State.CONTRADICTED:
            return "Do not rely on this release before it is known who is right."
        case State.NOT_IN_ORDER:
            return "What was published disagrees with itself, or is not signed by its publisher."
        case State.WITHDRAWN:
            return "It must not be accepted any more."
        case State.REPRODUCED if count > 1:
            return f"{count} auditors, each with a trusted key of their own, rebuilt it and got what was published."
        case State.REPRODUCED:
            return "One auditor with a trusted key rebuilt it and got what was published. Nobody else has said so."
        case State.NOT_REPRODUCED:
            return "No auditor with a trusted key has said that it can be rebuilt."


def remarks(entry: Entry) -> list[str]:
    """What else there is to say of a statement, short."""
    found = [DIFFERENCES[item] for item in entry.differences]
    if entry.statement is not None and entry.statement.predicate.auditor != entry.owner:
        found.append(f"calls its auditor {entry.statement.predicate.auditor}")
    return [*found, entry.problem] if entry.problem else found
