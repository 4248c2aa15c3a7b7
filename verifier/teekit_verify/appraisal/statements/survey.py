"""What auditors say of published releases: each statement is held against the published reference file itself.

Rules. Nothing in a statement is looked at before a trusted key vouches for it. It counts where it states the published artifacts, commit and
inputs, once for each owner of a key; a contradiction is worse than everything else that a release can be.
Non-rules: what a statement says of itself, "reproduced", and what its auditor says of who they are.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.contradiction import Claim
from teekit_verify.appraisal.statements.logged import find_logged, proofs_beside, submitters
from teekit_verify.appraisal.statements.repository import Conflict, Contradiction, LogRule, statement_name
from teekit_verify.appraisal.statements.statement import read_file
from teekit_verify.appraisal.statements.threshold import ClaimPart, cast
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import codec
from teekit_verify.documents.inputs import inputs_digest
from teekit_verify.reference.releases import DamagedRelease, find_release
from teekit_verify.reference.signing.log import LogFinding, LogStanding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from teekit_verify.appraisal.statements.statement import Statement
    from teekit_verify.documents.model import Reference
    from teekit_verify.reference.releases import KnownRelease
    from teekit_verify.reference.signing.dsse import Standing
    from teekit_verify.reference.signing.keys import TrustedKey

MOST_STATEMENTS = 1000
"""Of one release."""


class Weight(Enum):
    """What a file counts for."""

    AGREES = "agrees"
    MISMATCH = "mismatch"
    DIFFERS = "differs"
    CONTRADICTS_ITSELF = "contradicts_itself"
    OTHER_RELEASE = "other_release"
    NOT_LOGGED = "not_logged"
    NOT_TRUSTED = "not_trusted"
    UNREADABLE = "unreadable"
    LINK = "link"


class Cell(Enum):
    """What a statement says of one published artifact."""

    SAME = "same"
    OTHER = "other"
    NOT_STATED = "not_stated"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file. `owner` is whose trusted key signed it, empty if none did; only where `weight` is none of the last three is `statement` there.

    `cells` are in the order of the reference's artifacts. `problem` says why a file is UNREADABLE. `log` is what was found about it in a
    transparency log, None where nobody asked; `proof` is the good proof, by its file name.
    """

    file: str
    weight: Weight
    standing: Standing | None = None
    owner: str = ""
    statement: Statement | None = None
    data: bytes = b""
    sha256: Digest | None = None
    cells: tuple[Cell, ...] = ()
    differences: tuple[ClaimPart, ...] = ()
    problem: str = ""
    log: LogFinding | None = None
    proof: tuple[str, bytes] | None = None


class State(Enum):
    """Of a release: the worst that applies, in this order."""

    CONTRADICTED = "contradicted"
    NOT_IN_ORDER = "not_in_order"
    WITHDRAWN = "withdrawn"
    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not_reproduced"


@dataclass(frozen=True, slots=True)
class SurveyedRelease:
    """`agreeing` are the owners who state what was published, each once. `asked` is whether the publisher's signature was to be checked."""

    known: KnownRelease
    entries: tuple[Entry, ...]
    agreeing: tuple[str, ...]
    contradictions: tuple[Contradiction, ...]
    asked: bool

    @property
    def is_signed(self) -> bool:
        """By a trusted key of the publisher's."""
        return self.known.verified is not None and self.known.verified.status is ExitStatus.HOLDS

    @property
    def state(self) -> State:
        unsigned = self.asked and not self.is_signed and self.known.release.withdrawn is None
        applies = {
            State.CONTRADICTED: bool(self.contradictions),
            State.NOT_IN_ORDER: bool(self.known.disagreements) or unsigned,
            State.WITHDRAWN: self.known.release.withdrawn is not None,
            State.REPRODUCED: bool(self.agreeing),
        }
        return next((state for state, is_so in applies.items() if is_so), State.NOT_REPRODUCED)

    @property
    def status(self) -> ExitStatus:
        """NO_VERDICT if a statement cannot be read; DOES_NOT_HOLD for what contradicts, or is not signed by whom it should be."""
        if any(entry.weight in {Weight.UNREADABLE, Weight.LINK} for entry in self.entries):
            return ExitStatus.NO_VERDICT
        broken = self.state in {State.CONTRADICTED, State.NOT_IN_ORDER}
        return ExitStatus.DOES_NOT_HOLD if broken else ExitStatus.HOLDS


Surveyed = SurveyedRelease | DamagedRelease


@dataclass(frozen=True, slots=True)
class Keys:
    """Of whom to believe what, on which day. `publishers` None: nobody asks who signed the reference files.

    `log`: look for proofs of a transparency log beside the statements, if it has a policy. `log.required`: what is in none has no vote.
    """

    auditors: Sequence[TrustedKey]
    publishers: Sequence[TrustedKey] | None
    on: date
    log: LogRule = field(default_factory=LogRule)


def survey(releases: Path, statements: Path | None, keys: Keys) -> Iterator[Surveyed]:
    """Every release of a folder, by name, one at a time: a thousand of them need not be in memory at once.

    `statements` is a repository of statements (RELEASE/AUDITOR.intoto.jsonl), None for none. Raises TeekitError for a folder of it that
    cannot be read or has too many files; what is wrong with a release or a statement is in the result.
    """
    for name in sorted(path.parent.name for path in releases.glob("*/release.json")):
        try:
            known = find_release(releases, name, keys.publishers, keys.on)
        except TeekitError as error:
            yield DamagedRelease(name, without_place(error.message, releases))
            continue
        yield survey_release(known, () if statements is None else _files(statements, name), keys)


def without_place(message: str, folder: Path) -> str:
    """A message for the world: where on this host a folder is, is nobody's business, and differs from run to run."""
    return message.replace(f"{printable(str(folder))}/", "")


def _files(statements: Path, release: str) -> list[tuple[str, Path]]:
    """(path in the repository, path) of a release's statements, by name. What has the folder's name and is a link, or no folder, is told, not followed."""
    folder = statements / release
    if folder.is_symlink() or not folder.is_dir():
        return [(release, folder)] if folder.is_symlink() or folder.exists() else []
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise TeekitError(f"{folder}: cannot be read: {error.strerror}", hint="Name a readable folder.") from error
    found = [name for name in names if statement_name(name) is not None]
    if len(found) > MOST_STATEMENTS:
        raise TeekitError(f"{folder}: has more than {MOST_STATEMENTS} statements", hint="Move some elsewhere.")
    return [(f"{release}/{name}", folder / name) for name in found]


@dataclass(frozen=True, slots=True)
class _Published:
    """What a statement is held against; the digest of the inputs is made once for all of them."""

    reference: Reference
    inputs_sha256: Digest


def survey_release(known: KnownRelease, files: Sequence[tuple[str, Path]], keys: Keys) -> SurveyedRelease:
    """One release and the statements about it: (what to call a file, its path)."""
    published = _Published(known.reference, inputs_digest(known.reference.inputs)) if files else None
    entries = [_entry(name, path, published, keys) for name, path in files if published is not None]
    said: dict[str, set[tuple[Claim, bool]]] = defaultdict(set)
    for entry in entries:
        if entry.statement is not None and entry.weight is not Weight.OTHER_RELEASE:
            mismatch = entry.statement.predicate.verdict is Verdict.MISMATCH
            said[entry.owner].add((Claim.of(entry.statement), mismatch))
    double = {owner for owner, stated in said.items() if len(stated) > 1}
    judged = tuple(_without_vote(entry) if entry.owner in double else entry for entry in entries)
    agreeing = {entry.owner for entry in judged if entry.weight is Weight.AGREES}
    return SurveyedRelease(
        known, judged, tuple(sorted(agreeing)), tuple(_contradictions(known.name, judged)), keys.publishers is not None
    )


def _without_vote(entry: Entry) -> Entry:
    return entry if entry.statement is None else replace(entry, weight=Weight.CONTRADICTS_ITSELF)


def _contradictions(release: str, entries: Sequence[Entry]) -> Iterator[Contradiction]:
    kinds: Mapping[Weight, Conflict] = {
        Weight.CONTRADICTS_ITSELF: Conflict.OWN_STATEMENTS,
        Weight.MISMATCH: Conflict.MISMATCH,
        Weight.DIFFERS: Conflict.DIFFERENT_RESULTS,
    }
    for weight, conflict in kinds.items():
        owners = sorted({entry.owner for entry in entries if entry.weight is weight})
        if owners:
            yield Contradiction(release, conflict, tuple(owners))


def _entry(name: str, path: Path, published: _Published, keys: Keys) -> Entry:
    if path.is_symlink():
        return Entry(name, Weight.LINK)
    try:
        data = codec.read_bounded(path)
        vote = cast(name, read_file(data, name), keys.auditors, keys.on)
    except TeekitError as error:
        return Entry(name, Weight.UNREADABLE, problem=without_place(error.message, path.parent))
    if vote.statement is None:
        return Entry(name, Weight.NOT_TRUSTED, vote.standing, vote.owner)
    cells = tuple(_cells(vote.statement, published.reference))
    different = tuple(_differences(vote.statement, published, cells))
    weight = _weight(vote.statement, published.reference, different)
    digest = Digest.of(Algorithm.SHA256, data)
    found = Entry(name, weight, vote.standing, vote.owner, vote.statement, data, digest, cells, different)
    return _looked_up(found, path, keys)


def _looked_up(entry: Entry, path: Path, keys: Keys) -> Entry:
    """With what a log has of it. What speaks against the release does so in no log as well."""
    policy = keys.log.policy
    if policy is None:
        return entry
    by = submitters((key for key in keys.auditors if not key.expired(keys.on)), entry.owner)
    proofs = [(file, find_logged(entry.data, [file], by, policy)) for file in proofs_beside(path)]
    good = next(((file, found) for file, found in proofs if found.standing is LogStanding.LOGGED), None)
    if good is not None:
        return replace(entry, log=good[1], proof=(Path(good[0].where).name, good[0].data))
    without_vote = keys.log.required and entry.weight is Weight.AGREES
    found = proofs[0][1] if proofs else LogFinding(LogStanding.NO_PROOF)
    return replace(entry, log=found, weight=Weight.NOT_LOGGED if without_vote else entry.weight)


def _weight(statement: Statement, published: Reference, different: tuple[ClaimPart, ...]) -> Weight:
    said = statement.predicate
    if said.reference is not None and said.reference.release != published.release:
        return Weight.OTHER_RELEASE
    if said.verdict is Verdict.MISMATCH:
        return Weight.MISMATCH
    return Weight.DIFFERS if different else Weight.AGREES


def _differences(statement: Statement, published: _Published, cells: tuple[Cell, ...]) -> Iterator[ClaimPart]:
    if not cells or any(cell is not Cell.SAME for cell in cells):
        yield ClaimPart.ARTIFACTS
    if statement.predicate.commit != published.reference.commit:
        yield ClaimPart.COMMIT
    if statement.predicate.inputs_sha256 != published.inputs_sha256:
        yield ClaimPart.INPUTS


def _cells(statement: Statement, published: Reference) -> Iterator[Cell]:
    stated = {subject.name: subject.digest.sha256 for subject in statement.subject}
    for artifact in published.artifacts:
        found = stated.get(artifact.name)
        yield Cell.NOT_STATED if found is None else Cell.SAME if found == artifact.sha256 else Cell.OTHER
