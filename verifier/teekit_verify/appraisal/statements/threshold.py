"""How many trusted auditors made the same statement: one vote for each owner of trusted keys, however many files there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.contradiction import Claim, OwnContradiction, Said, own_contradictions
from teekit_verify.appraisal.statements.statement import verdict_of
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.reference.signing import dsse
from teekit_verify.reference.signing.dsse import Standing
from teekit_verify.reference.signing.log import LogStanding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from teekit_verify.appraisal.statements.statement import Statement
    from teekit_verify.core.digest import Digest
    from teekit_verify.reference.signing.keys import TrustedKey
    from teekit_verify.reference.signing.log import LogFinding

MATCH, MISMATCH = "match", "mismatch"


class Objection(Enum):
    """Why a statement does not count, whatever the others say. The values are the words in its cells."""

    NO_KEY = Standing.NO_KEY.value
    EXPIRED = Standing.EXPIRED.value
    BAD_SIGNATURE = Standing.BAD_SIGNATURE.value
    CONTRADICTION = "contradiction"
    MISMATCH = MISMATCH
    NOT_LOGGED = "not logged"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Vote:
    """One file. `statement` is None where no trusted key vouches for it: nothing in it is then worth repeating.

    `log` is what was found about it in a transparency log, None where nobody asked.
    """

    file: str
    owner: str
    standing: Standing
    statement: Statement | None = None
    log: LogFinding | None = None

    @property
    def release(self) -> str:
        """That it was compared with; empty if there was none."""
        reference = self.statement.predicate.reference if self.statement else None
        return reference.release if reference else ""


@dataclass(frozen=True, slots=True)
class Row:
    """One auditor's file in the matrix. `cells` has a word for each column; `detail` says why it is not counted.

    `release` is that of the reference the auditor compared with, empty if there was none. `log` is None where nobody asked.
    """

    file: str
    owner: str
    verdict: str
    release: str
    counted: bool
    cells: tuple[str, ...]
    detail: str
    objection: Objection | None = None
    log: LogFinding | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """The matrix and what follows. `columns` are the artifacts of the statement that most auditors made (or the one asked for).

    `contradictions` are of auditors with themselves; `log_required` is whether only what is in a transparency log counts.
    """

    threshold: int
    agreeing: int
    columns: tuple[tuple[str, Digest], ...]
    rows: tuple[Row, ...]
    commit: str | None
    inputs_sha256: Digest | None
    problem: str
    contradictions: tuple[OwnContradiction, ...] = ()
    log_required: bool = False

    @property
    def status(self) -> ExitStatus:
        """HOLDS if enough auditors agree."""
        return ExitStatus.DOES_NOT_HOLD if self.problem else ExitStatus.HOLDS


def cast(file: str, envelopes: tuple[dsse.Envelope, ...], trusted: Sequence[TrustedKey], on: date) -> Vote:
    """Verify first, read afterwards. Every envelope of a file must be good under one and the same key."""
    judged = [dsse.judge(envelope, envelope.signatures[0], trusted, on) for envelope in envelopes]
    for judgement in judged:
        if judgement.standing is not Standing.GOOD:
            return Vote(file, judgement.key.owner if judgement.key else "", judgement.standing)
    owners = {judgement.key.id: judgement.key.owner for judgement in judged if judgement.key}
    if len(owners) != 1:
        raise TeekitError(f"{file}: its lines are signed by different keys, so it is not the statement of one auditor")
    return Vote(file, next(iter(owners.values())), Standing.GOOD, verdict_of(envelopes, file))


def tally(
    votes: Sequence[Vote], threshold: int, artifact: tuple[str, Digest] | None = None, *, log_required: bool = False
) -> Tally:
    """`artifact`: name and digest of a file the statements must be about. Raises TeekitError without votes or threshold.

    `log_required`: a statement that was not found in a log does not count. It may still contradict another of its auditor's. It holds if exactly one claim reaches the threshold: two that do contradict each other.
    """
    if threshold < 1:
        raise TeekitError("the threshold must be at least 1", hint="Say how many auditors must agree.")
    if not votes:
        raise TeekitError("there are no statements to count", hint="Name the files of the auditors.")
    contradictions = own_contradictions(_said(votes))
    objections = _objections(votes, {item.auditor for item in contradictions}, log_required=log_required)
    counts = Counter(
        Claim.of(vote.statement)
        for position, vote in enumerate(votes)
        if vote.statement is not None and objections[position] is None and _is_about(vote.statement, artifact)
    )
    leading = counts.most_common(1)[0][0] if counts else None
    reached = [claim for claim, count in counts.items() if count >= threshold]
    agreeing = counts[leading] if leading else 0
    columns = leading.artifacts if leading else (artifact,) if artifact else ()
    return Tally(
        threshold,
        agreeing,
        columns,
        tuple(_row(vote, objections[position], leading, columns) for position, vote in enumerate(votes)),
        leading.commit if leading else None,
        leading.inputs_sha256 if leading else None,
        _problem(len(reached), agreeing, threshold),
        contradictions,
        log_required,
    )


def _is_about(statement: Statement, artifact: tuple[str, Digest] | None) -> bool:
    return artifact is None or any(subject.digest.sha256 == artifact[1] for subject in statement.subject)


def _problem(reached: int, agreeing: int, threshold: int) -> str:
    if reached > 1:
        return f"{reached} different results reach the threshold of {threshold}: they contradict each other"
    if not reached:
        return f"{agreeing} agreeing statements by trusted auditors, {threshold} were asked for"
    return ""


def _said(votes: Sequence[Vote]) -> tuple[Said, ...]:
    return tuple(Said.of(vote.file, vote.owner, vote.statement) for vote in votes if vote.statement is not None)


def _objections(
    votes: Sequence[Vote], contradicting: set[str], *, log_required: bool
) -> Mapping[int, Objection | None]:
    """By position. Of an owner's statements that say the same, the first one that could count does."""
    objections: dict[int, Objection | None] = {}
    counted: set[tuple[str, Claim]] = set()
    for position, vote in enumerate(votes):
        objections[position] = objection = _objection(vote, contradicting, log_required=log_required)
        if objection is None and vote.statement is not None:
            said = vote.owner, Claim.of(vote.statement)
            objections[position] = Objection.DUPLICATE if said in counted else None
            counted.add(said)
    return objections


def _objection(vote: Vote, contradicting: set[str], *, log_required: bool) -> Objection | None:
    if vote.statement is None:
        return Objection(vote.standing.value)
    if vote.owner in contradicting:
        return Objection.CONTRADICTION
    if vote.statement.predicate.verdict is Verdict.MISMATCH:
        return Objection.MISMATCH
    logged = vote.log is not None and vote.log.standing is LogStanding.LOGGED
    return Objection.NOT_LOGGED if log_required and not logged else None


def _row(
    vote: Vote, objection: Objection | None, leading: Claim | None, columns: tuple[tuple[str, Digest], ...]
) -> Row:
    statement = vote.statement
    if statement is None:
        cells = (objection.value if objection else "",) * len(columns)
        detail = _WHY[objection] if objection else ""
        return Row(vote.file, vote.owner, "", "", counted=False, cells=cells, detail=detail, objection=objection)
    claim, predicate = Claim.of(statement), statement.predicate
    made = dict(claim.artifacts)
    agreeing = (MATCH if made.get(name) == digest else MISMATCH for name, digest in columns)
    cells = tuple(objection.value if objection else cell for cell in agreeing)
    counted = objection is None and claim == leading
    detail = "" if counted else _WHY[objection] if objection else _difference(claim, leading)
    if objection is Objection.MISMATCH:
        detail = "the auditor's build is not what was published: " + "; ".join(predicate.reasons[:3])
    if predicate.auditor != vote.owner:
        detail = "; ".join(filter(None, (detail, f"names its auditor {predicate.auditor}")))
    row = Row(vote.file, vote.owner, predicate.verdict.value, vote.release, counted=counted, cells=cells, detail=detail)
    return replace(row, objection=objection, log=vote.log)


_WHY = {
    Objection.NO_KEY: "no trusted key made this signature",
    Objection.EXPIRED: "the key has expired",
    Objection.BAD_SIGNATURE: "names a trusted key that did not make this signature",
    Objection.DUPLICATE: "this auditor is counted already",
    Objection.CONTRADICTION: "this auditor made statements that contradict each other: none is counted",
    Objection.NOT_LOGGED: "is in no log, which was required",
    Objection.MISMATCH: "",
}


def _difference(claim: Claim, leading: Claim | None) -> str:
    if leading is None:
        return "not about the artifact that was asked for"
    differences = {
        "artifacts": claim.artifacts != leading.artifacts,
        "source commit": claim.commit != leading.commit,
        "inputs": claim.inputs_sha256 != leading.inputs_sha256,
    }
    return "other " + ", ".join(name for name, differs in differences.items() if differs)
