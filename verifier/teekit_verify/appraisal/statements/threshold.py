"""How many trusted auditors made the same statement: one vote for each owner of trusted keys, however many files there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.statement import verdict_of
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.reference.signing import dsse
from teekit_verify.reference.signing.dsse import Standing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from teekit_verify.appraisal.statements.statement import Statement
    from teekit_verify.core.digest import Digest
    from teekit_verify.reference.signing.keys import TrustedKey

MATCH, MISMATCH = "match", "mismatch"


@dataclass(frozen=True, slots=True)
class Claim:
    """What must be equal for two statements to agree: the artifacts (sorted by name), the source commit, the inputs."""

    artifacts: tuple[tuple[str, Digest], ...]
    commit: str | None
    inputs_sha256: Digest

    @classmethod
    def of(cls, statement: Statement) -> Claim:
        """What a statement claims."""
        artifacts = sorted((subject.name, subject.digest.sha256) for subject in statement.subject)
        return cls(tuple(artifacts), statement.predicate.commit, statement.predicate.inputs_sha256)


@dataclass(frozen=True, slots=True)
class Vote:
    """One file. `statement` is None where no trusted key vouches for it: nothing in it is then worth repeating."""

    file: str
    owner: str
    standing: Standing
    statement: Statement | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One auditor's file in the matrix. `cells` has a word for each column; `detail` says why it is not counted.

    `release` is that of the reference the auditor compared with, empty if there was none.
    """

    file: str
    owner: str
    verdict: str
    release: str
    counted: bool
    cells: tuple[str, ...]
    detail: str


@dataclass(frozen=True, slots=True)
class Tally:
    """The matrix and what follows. `columns` are the artifacts of the statement that most auditors made (or the one asked for)."""

    threshold: int
    agreeing: int
    columns: tuple[tuple[str, Digest], ...]
    rows: tuple[Row, ...]
    commit: str | None
    inputs_sha256: Digest | None
    problem: str

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


def tally(votes: Sequence[Vote], threshold: int, artifact: tuple[str, Digest] | None = None) -> Tally:
    """`artifact`: name and digest of a file the statements must be about. Raises TeekitError without votes or threshold.

    It holds if exactly one claim reaches the threshold: two that do contradict each other.
    """
    if threshold < 1:
        raise TeekitError("the threshold must be at least 1", hint="Say how many auditors must agree.")
    if not votes:
        raise TeekitError("there are no statements to count", hint="Name the files of the auditors.")
    objections = _objections(votes)
    counts = Counter(
        Claim.of(vote.statement)
        for position, vote in enumerate(votes)
        if vote.statement is not None and not objections[position] and _is_about(vote.statement, artifact)
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
    )


def _is_about(statement: Statement, artifact: tuple[str, Digest] | None) -> bool:
    return artifact is None or any(subject.digest.sha256 == artifact[1] for subject in statement.subject)


def _problem(reached: int, agreeing: int, threshold: int) -> str:
    if reached > 1:
        return f"{reached} different results reach the threshold of {threshold}: they contradict each other"
    if not reached:
        return f"{agreeing} agreeing statements by trusted auditors, {threshold} were asked for"
    return ""


def _objections(votes: Sequence[Vote]) -> Mapping[int, str]:
    """Why each vote does not count, whatever the others say; empty for those that do."""
    said: dict[str, list[tuple[Claim, Verdict]]] = {}
    for vote in votes:
        if vote.statement is not None:
            said.setdefault(vote.owner, []).append((Claim.of(vote.statement), vote.statement.predicate.verdict))
    objections: dict[int, str] = {}
    seen: set[str] = set()
    for position, vote in enumerate(votes):
        if vote.statement is None:
            objections[position] = vote.standing.value
        elif len(set(said[vote.owner])) > 1:
            objections[position] = "contradiction"
        elif vote.owner in seen:
            objections[position] = "duplicate"
        elif vote.statement.predicate.verdict is Verdict.MISMATCH:
            objections[position] = MISMATCH
        else:
            objections[position] = ""
        seen.add(vote.owner if vote.statement is not None else "")
    return objections


def _row(vote: Vote, objection: str, leading: Claim | None, columns: tuple[tuple[str, Digest], ...]) -> Row:
    statement = vote.statement
    if statement is None:
        cells = (objection,) * len(columns)
        return Row(vote.file, vote.owner, "", "", counted=False, cells=cells, detail=_WHY[objection])
    claim, predicate = Claim.of(statement), statement.predicate
    made = dict(claim.artifacts)
    cells = tuple(objection or (MATCH if made.get(name) == digest else MISMATCH) for name, digest in columns)
    counted = not objection and claim == leading
    detail = "" if counted else _WHY[objection] if objection else _difference(claim, leading)
    if objection == MISMATCH:
        detail = "the auditor's build is not what was published: " + "; ".join(predicate.reasons[:3])
    if predicate.auditor != vote.owner:
        detail = "; ".join(filter(None, (detail, f"names its auditor {predicate.auditor}")))
    release = predicate.reference.release if predicate.reference else ""
    return Row(vote.file, vote.owner, predicate.verdict.value, release, counted=counted, cells=cells, detail=detail)


_WHY = {
    Standing.NO_KEY.value: "no trusted key made this signature",
    Standing.EXPIRED.value: "the key has expired",
    Standing.BAD_SIGNATURE.value: "names a trusted key that did not make this signature",
    "duplicate": "this auditor is counted already",
    "contradiction": "this auditor made statements that contradict each other: none is counted",
    MISMATCH: "",
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
