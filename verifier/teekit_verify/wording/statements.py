"""Statements of auditors in words: why one is not counted, and why they are not enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.threshold import Objection, Off, Row, Shortfall, Tally
from teekit_verify.reference.signing.dsse import Standing

if TYPE_CHECKING:
    from teekit_verify.appraisal.statements.contradiction import OwnContradiction
    from teekit_verify.appraisal.statements.statement import Independence
    from teekit_verify.appraisal.statements.threshold import NotCounted
    from teekit_verify.documents.rebuilt_packages import RebuiltCounts

_MAX_REASONS = 3
_STANDINGS = {
    Standing.GOOD: "",
    Standing.NO_KEY: "no trusted key made this signature",
    Standing.EXPIRED: "the key has expired",
    Standing.BAD_SIGNATURE: "names a trusted key that did not make this signature",
}


def independence_words(said: Independence | None) -> str:
    """What an auditor says of itself, in one line; empty if nothing."""
    if said is None:
        return ""
    parts = {"operator": said.operator, "country": said.country, "provider": said.provider}
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value is not None)


def packages_words(said: RebuiltCounts) -> str:
    """What rebuilders say of the packages that went in, in one line."""
    share = f"{said.good_permille // 10}.{said.good_permille % 10} %"
    others = ((said.bad, "could not be"), (said.unknown, "not rebuilt yet"), (said.not_listed, "not listed"))
    rest = "".join(f", {count} {words}" for count, words in others if count)
    return f"{share} of {said.total} packages were reproduced by others ({said.good}{rest})"


def row_words(row: Row) -> str:
    """Why a statement is not counted, and whom it names; empty where there is nothing to say."""
    why = "" if row.not_counted is None else _not_counted(row.not_counted, row)
    named = "" if row.calls_itself is None else f"names its auditor {row.calls_itself}"
    return "; ".join(filter(None, (why, named)))


def _not_counted(reason: NotCounted, row: Row) -> str:
    match reason:
        case Standing():
            return _STANDINGS[reason]
        case Objection.DUPLICATE:
            return "this auditor is counted already"
        case Objection.CONTRADICTION:
            return "this auditor made statements that contradict each other: none is counted"
        case Objection.MISMATCH:
            reasons = () if row.statement is None else row.statement.predicate.reasons
            return "the auditor's build is not what was published: " + "; ".join(reasons[:_MAX_REASONS])
        case Objection.NOT_LOGGED:
            return "is in no log, which was required"
        case Off.SUBJECT:
            return "not about the artifact that was asked for"
        case parts:
            return "other " + ", ".join(part.value for part in parts)


def contradiction_words(item: OwnContradiction) -> str:
    """Who signed what cannot both be true, and where."""
    about = f" about {item.release}" if item.release else ""
    return f"CONTRADICTION: {item.auditor} signed different statements{about}: {', '.join(item.files)}"


def shortfall_words(tally: Tally) -> str:
    """Why the threshold does not hold; empty if it does."""
    match tally.shortfall:
        case None:
            return ""
        case Shortfall.SEVERAL_RESULTS:
            return f"{tally.reached} different results reach the threshold of {tally.threshold}: they contradict each other"
        case Shortfall.TOO_FEW:
            return f"{tally.agreeing} agreeing statements by trusted auditors, {tally.threshold} were asked for"
