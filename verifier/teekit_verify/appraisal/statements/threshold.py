"""How many trusted auditors made the same statement.

Rules: every line of a file is verified before anything in it is read; a file counts under the one owner whose key signed all of it.
One vote for each owner, however many keys or files. Two statements agree if artifacts, source commit and inputs are all equal.
An owner who states two different things about one release has no vote at all. The verdict MISMATCH is no vote. Where a log is required, a
statement that is in none is no vote either, but still contradicts another. It holds if exactly one claim reaches the threshold.

Non-rules: the order of the files, key ids, and what a statement calls its auditor decide nothing. REPRODUCED and UNREFERENCED
count alike: what is counted is the result of the build, and the row says whether a reference was compared.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
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


class Cell(Enum):
    """How an auditor's artifact compares with that of the leading claim."""

    MATCH = "match"
    MISMATCH = "mismatch"


class Objection(Enum):
    """Why a good statement does not count, whatever the others say."""

    CONTRADICTION = "contradiction"
    DUPLICATE = "duplicate"
    MISMATCH = "mismatch"
    NOT_LOGGED = "not logged"


class ClaimPart(Enum):
    """What two claims can differ in."""

    ARTIFACTS = "artifacts"
    COMMIT = "source commit"
    INPUTS = "inputs"


class Off(Enum):
    """A statement with which none that counts can be compared."""

    SUBJECT = "not about the artifact that was asked for"


NotCounted = Standing | Objection | Off | tuple[ClaimPart, ...]
"""The signature, the statement beside others, or what it claims otherwise than the leading claim."""


class Shortfall(Enum):
    """Why the threshold does not hold."""

    TOO_FEW = "too few"
    SEVERAL_RESULTS = "several results"


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


@dataclass(frozen=True, slots=True)
class Row:
    """One auditor's file in the matrix. `cells` has one for each column; `not_counted` is None for a vote of the leading claim.

    `statement` and `log` as in Vote. `calls_itself` is the auditor that it names where that is not the key's owner.
    """

    file: str
    owner: str
    statement: Statement | None
    cells: tuple[Cell | Standing | Objection, ...]
    not_counted: NotCounted | None
    calls_itself: str | None = None
    log: LogFinding | None = None

    @property
    def counted(self) -> bool:
        return self.not_counted is None

    @property
    def verdict(self) -> Verdict | None:
        return None if self.statement is None else self.statement.predicate.verdict

    @property
    def release(self) -> str:
        """Of the reference that the auditor compared with, empty if there was none."""
        reference = None if self.statement is None else self.statement.predicate.reference
        return "" if reference is None else reference.release


@dataclass(frozen=True, slots=True)
class Tally:
    """The matrix and what follows. `columns` are the artifacts of the statement that most auditors made (or the one asked for).

    `reached` is how many different results reach the threshold. `contradictions` are of auditors with themselves. `log_required`: only what
    is in a transparency log counts.
    """

    threshold: int
    agreeing: int
    reached: int
    columns: tuple[tuple[str, Digest], ...]
    rows: tuple[Row, ...]
    commit: str | None
    inputs_sha256: Digest | None
    contradictions: tuple[OwnContradiction, ...] = ()
    log_required: bool = False

    @property
    def shortfall(self) -> Shortfall | None:
        """None if enough auditors agree, and no others do on something else."""
        if self.reached == 1:
            return None
        return Shortfall.SEVERAL_RESULTS if self.reached else Shortfall.TOO_FEW

    @property
    def status(self) -> ExitStatus:
        """HOLDS if enough auditors agree."""
        return ExitStatus.HOLDS if self.shortfall is None else ExitStatus.DOES_NOT_HOLD


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

    It holds if exactly one claim reaches the threshold: two that do contradict each other.
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
        if vote.statement is not None and not objections[position] and _is_about(vote.statement, artifact)
    )
    leading = counts.most_common(1)[0][0] if counts else None
    reached = sum(count >= threshold for count in counts.values())
    columns = leading.artifacts if leading else (artifact,) if artifact else ()
    return Tally(
        threshold,
        counts[leading] if leading else 0,
        reached,
        columns,
        tuple(_row(vote, objections[position], leading, columns) for position, vote in enumerate(votes)),
        leading.commit if leading else None,
        leading.inputs_sha256 if leading else None,
        contradictions,
        log_required,
    )


def _is_about(statement: Statement, artifact: tuple[str, Digest] | None) -> bool:
    return artifact is None or any(subject.digest.sha256 == artifact[1] for subject in statement.subject)


def _said(votes: Sequence[Vote]) -> tuple[Said, ...]:
    return tuple(Said.of(vote.file, vote.owner, vote.statement) for vote in votes if vote.statement is not None)


def _objections(
    votes: Sequence[Vote], contradicting: set[str], *, log_required: bool
) -> Mapping[int, Standing | Objection | None]:
    """Why each vote does not count, whatever the others say; None for those that do.

    Of an owner's statements that say the same, the first one that could count does.
    """
    objections: dict[int, Standing | Objection | None] = {}
    counted: set[tuple[str, Claim]] = set()
    for position, vote in enumerate(votes):
        objections[position] = objection = _objection(vote, contradicting, log_required=log_required)
        if objection is None and vote.statement is not None:
            said = vote.owner, Claim.of(vote.statement)
            objections[position] = Objection.DUPLICATE if said in counted else None
            counted.add(said)
    return objections


def _objection(vote: Vote, contradicting: set[str], *, log_required: bool) -> Standing | Objection | None:
    if vote.statement is None:  # no trusted key vouches for it
        return vote.standing
    if vote.owner in contradicting:  # all of theirs: else the order of the files would decide
        return Objection.CONTRADICTION
    if vote.statement.predicate.verdict is Verdict.MISMATCH:  # the auditor says no, whatever the artifacts are
        return Objection.MISMATCH
    logged = vote.log is not None and vote.log.standing is LogStanding.LOGGED
    return Objection.NOT_LOGGED if log_required and not logged else None


def _row(
    vote: Vote, objection: Standing | Objection | None, leading: Claim | None, columns: tuple[tuple[str, Digest], ...]
) -> Row:
    statement = vote.statement
    if statement is None:
        return Row(vote.file, vote.owner, None, (vote.standing,) * len(columns), vote.standing)
    claim, auditor = Claim.of(statement), statement.predicate.auditor
    made = dict(claim.artifacts)
    cells = tuple(objection or (Cell.MATCH if made.get(name) == digest else Cell.MISMATCH) for name, digest in columns)
    not_counted = objection or (None if claim == leading else _differing(claim, leading))
    calls_itself = None if auditor == vote.owner else auditor
    return Row(vote.file, vote.owner, statement, cells, not_counted, calls_itself, vote.log)


def _differing(claim: Claim, leading: Claim | None) -> NotCounted:
    if leading is None:
        return Off.SUBJECT
    differences = {
        ClaimPart.ARTIFACTS: claim.artifacts != leading.artifacts,
        ClaimPart.COMMIT: claim.commit != leading.commit,
        ClaimPart.INPUTS: claim.inputs_sha256 != leading.inputs_sha256,
    }
    return tuple(part for part, differs in differences.items() if differs)
