"""An audit: each published release is rebuilt, and what came of it is signed into a repository of statements.

It may end at any moment. A finished report is signed without another build, a finished build is taken as it is (`rebuild.workspace`),
and a statement is there whole or not at all. Several audits may share both folders: each release is one's at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.rebuilt_inputs import SavedAnswers
from teekit_verify.appraisal.statements.contradiction import Claim
from teekit_verify.appraisal.statements.create import signed_statement, source_commit
from teekit_verify.appraisal.statements.own import Auditor, AuditOutcome
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import create_folder, held, write_whole
from teekit_verify.rebuild.subject import Choice
from teekit_verify.rebuild.workspace import require_apart
from teekit_verify.record.attestable import load_rebuilt
from teekit_verify.record.audit_log import look_up
from teekit_verify.record.rebuild import RebuildRequest, rebuild
from teekit_verify.reference.releases import DamagedRelease, KnownRelease, list_releases
from teekit_verify.reference.signing.log import LogStanding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from teekit_verify.appraisal.statements.create import Rebuilt
    from teekit_verify.appraisal.statements.statement import Independence
    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.provision import Provision
    from teekit_verify.record.audit_log import AuditLog
    from teekit_verify.record.directory import Page
    from teekit_verify.reference.signing.log import LogFinding


class Basis(Enum):
    """What an answer rests on: a build of this run, the report of an earlier one, or the statement that was there already."""

    BUILD = "build"
    REPORT = "report"
    STATEMENT = "statement"


class Filing(Enum):
    """What became of the statement. OTHER: the auditor had stated something else before, and that is not replaced."""

    WRITTEN = "written"
    KEPT = "kept"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Audited:
    """The answer for one release. `basis` is None where there is no verdict; `error` says why. `report` is a folder, `statement` a file.

    `log` is what was found about the statement in a transparency log, None where nobody asked; `error` may say why it could not be submitted.
    `independence` is what the statement says of its auditor.
    """

    release: str
    outcome: AuditOutcome
    verdict: Verdict | None = None
    basis: Basis | None = None
    filing: Filing | None = None
    statement: Path | None = None
    report: Path | None = None
    reasons: tuple[str, ...] = ()
    withdrawn: str | None = None
    error: TeekitError | None = None
    log: LogFinding | None = None
    independence: Independence | None = None


@dataclass(frozen=True, slots=True)
class AuditRequest:
    """`releases` are names, none for all that are not withdrawn; `references` is the folder they are in. `output` gets a folder for each release.

    `new_progress` makes one for each rebuild. `command` is recorded in the reports, `independence` in the statements. `log` is where they should be.
    `rebuilders_said` is told in both.
    """

    auditor: Auditor
    bringing: Provision
    output: Path
    new_progress: Callable[[], Progress]
    references: Path | None = None
    releases: tuple[str, ...] = ()
    parallel: bool = False
    vary: str = "default"
    command: tuple[str, ...] = ()
    independence: Independence | None = None
    log: AuditLog | None = None
    rebuilders_said: SavedAnswers = field(default_factory=SavedAnswers)

    @property
    def folder(self) -> Path:
        return self.references or self.bringing.project.references / "releases"


def audit(request: AuditRequest, page: Page | None = None) -> Iterator[Audited]:
    """The answers, each as soon as it is there; releases that another audit has in hand come last. `page` makes each report.html.

    Raises TeekitError where nothing can be audited: folders in each other's way, no releases, a key that is another one in the repository.
    """
    require_apart(request.output, request.auditor.repository, request.folder)
    wanted = _wanted(request)
    request.auditor.publish_key()
    in_hand = []
    for item in wanted:
        answer = _guarded(item, request, page, wait=False)
        if answer is None:
            in_hand.append(item)
        else:
            yield answer
    for item in in_hand:
        answer = _guarded(item, request, page, wait=True)
        if answer is not None:
            yield answer


def _wanted(request: AuditRequest) -> list[KnownRelease | DamagedRelease]:
    known = {item.name: item for item in list_releases(request.folder).releases}
    unknown = [name for name in request.releases if name not in known]
    if unknown:
        raise TeekitError(f"there is no release '{unknown[0]}' in {request.folder}", hint="See `release list`.")
    if not known:
        raise TeekitError(f"{request.folder}: has no releases (NAME/release.json)", hint="Name another folder.")
    return [known[name] for name in (dict.fromkeys(request.releases) or known)]


def _guarded(
    item: KnownRelease | DamagedRelease, request: AuditRequest, page: Page | None, *, wait: bool
) -> Audited | None:
    """None if another audit has the release in hand, and nobody is to wait. What ends one release does not end the audit."""
    if isinstance(item, DamagedRelease):
        return Audited(item.name, AuditOutcome.UNDECIDED, error=TeekitError(item.problem))
    withdrawn = item.release.withdrawn
    if withdrawn is not None and item.name not in request.releases:
        return Audited(item.name, AuditOutcome.WITHDRAWN, withdrawn=withdrawn)
    report = request.output / item.name / "report"
    try:
        with (
            held(request.auditor.folder(item.name), wait=wait) as statements,
            held(report.parent, wait=wait and statements) as reports,
        ):
            done = _logged(_audit_one(item, request, page), request) if statements and reports else None
    except TeekitError as error:
        failed = report if (report / "report.json").is_file() else None
        return Audited(item.name, AuditOutcome.UNDECIDED, report=failed, withdrawn=withdrawn, error=error)
    return None if done is None else replace(done, withdrawn=withdrawn)


def _audit_one(item: KnownRelease, request: AuditRequest, page: Page | None) -> Audited:
    if item.disagreements:
        what = ", ".join(one.value for one in item.disagreements)
        raise TeekitError(f"release.json and {item.release.reference} name another {what}", hint="Ask the publisher.")
    before = request.auditor.stated(item.name)
    if before is not None and _is_about(before[1].predicate.reference, item):
        file, said = before
        verdict, reasons = said.predicate.verdict, said.predicate.reasons
        return Audited(
            item.name,
            AuditOutcome.of(verdict),
            verdict,
            Basis.STATEMENT,
            Filing.KEPT,
            file,
            reasons=reasons,
            independence=said.predicate.independence,
        )
    report = request.output / item.name / "report"
    found = _finished(report, item)
    if found is not None:
        return _file(found, item, request, Basis.REPORT)
    made = rebuild(_request(item, request), page).report
    if AuditOutcome.of(made.verdict) is AuditOutcome.UNDECIDED:
        return Audited(
            item.name, AuditOutcome.UNDECIDED, made.verdict, Basis.BUILD, report=report, reasons=made.reasons
        )
    rebuilt = load_rebuilt(report)
    if not _is_about(rebuilt.reference, item):
        raise TeekitError(f"the release {item.name} was changed while it was rebuilt", hint="Run it again.")
    return _file(rebuilt, item, request, Basis.BUILD)


def _is_about(reference: object, item: KnownRelease) -> bool:
    """Compared with these very values: what a file of the same name said before is another question."""
    named = (getattr(reference, "release", None), getattr(reference, "sha256", None))
    return named == (item.name, item.sha256)


def _finished(report: Path, item: KnownRelease) -> Rebuilt | None:
    """What an earlier run found, if it ended before it was signed; None for a report that cannot be, or is about other values."""
    try:
        found = load_rebuilt(report)
    except TeekitError:
        return None
    decided = AuditOutcome.of(found.verdict) is not AuditOutcome.UNDECIDED
    return found if decided and _is_about(found.reference, item) else None


def _request(item: KnownRelease, request: AuditRequest) -> RebuildRequest:
    choice = Choice(release=item.name, releases=request.references)
    place = request.output / item.name
    return RebuildRequest(
        choice,
        replace(request.bringing, progress=request.new_progress()),
        place / "report",
        place / "workspace",
        parallel=request.parallel,
        vary=request.vary,
        locked_only=True,
        command=request.command,
        rebuilders_said=request.rebuilders_said,
    )


def _file(rebuilt: Rebuilt, item: KnownRelease, request: AuditRequest, basis: Basis) -> Audited:
    """Sign the verdict, unless the auditor has stated something about this release: the same is kept, and so is anything else.

    Whoever stated the same result before there were published values to compare it with has stated the same.
    """
    auditor, report = request.auditor, request.output / item.name / "report"
    commit = source_commit(rebuilt, None)
    before = auditor.stated(item.name)
    outcome = AuditOutcome.of(rebuilt.verdict)
    if before is None:
        file, filing, independence = auditor.statement_file(item.name), Filing.WRITTEN, request.independence
        write_whole(file, signed_statement(rebuilt, auditor.name, commit, auditor.key, request.independence))
    else:
        file, said = before
        same = _result(Claim.of(said), said.predicate.verdict) == _result(
            Claim.of_build(rebuilt.build, commit), rebuilt.verdict
        )
        filing, independence = Filing.KEPT if same else Filing.OTHER, said.predicate.independence
        if not same and outcome is AuditOutcome.REPRODUCED:
            outcome = AuditOutcome.UNDECIDED
    return Audited(
        item.name, outcome, rebuilt.verdict, basis, filing, file, report, rebuilt.reasons, independence=independence
    )


def _result(claim: Claim, verdict: Verdict) -> tuple[Claim, bool]:
    """What makes two statements contradict each other, as `contradiction` has it: UNREFERENCED and REPRODUCED agree."""
    return claim, verdict is Verdict.MISMATCH


def _logged(done: Audited, request: AuditRequest) -> Audited:
    """With what the log has of its statement. A release is not reproduced before the statement is there, if it must be."""
    if request.log is None or done.statement is None:
        return done
    place = request.output / done.release
    create_folder(place)
    found, error = look_up(request.log, request.auditor, done.statement, place)
    missing = request.log.must_have and found.standing is not LogStanding.LOGGED
    outcome = AuditOutcome.UNDECIDED if missing and done.outcome is AuditOutcome.REPRODUCED else done.outcome
    return replace(done, outcome=outcome, log=found, error=done.error or error)
