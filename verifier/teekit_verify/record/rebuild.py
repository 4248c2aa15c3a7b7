"""The main job from a request to its record: find the source, fetch, build twice, judge, write the report folder."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuilt_inputs import SavedAnswers
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import lock, run, todays, variation
from teekit_verify.rebuild.network import fetching
from teekit_verify.rebuild.subject import find_subject
from teekit_verify.rebuild.workspace import Workspace, require_apart
from teekit_verify.record import directory, judging, replacing

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.rebuild.provision import Provision
    from teekit_verify.rebuild.subject import Choice, Subject
    from teekit_verify.record.directory import Page
    from teekit_verify.record.document import RebuildReport


@dataclass(frozen=True, slots=True)
class RebuildRequest:
    """What is to be rebuilt (`choice`), from where its inputs come (`bringing`), and what is done with it.

    `reference` is a file to compare with; None is the one that belongs to the choice, and `no_reference` none at all. `lock_file` names
    the packages of a stranger's project. `vary` is a list of variations, as `--vary` takes it. `locked_only`: never go on with
    today's packages where locked ones are gone; `todays_packages`: with them outright. `command` is recorded. `rebuilders_said` is told in the
    report, and decides nothing.
    """

    choice: Choice
    bringing: Provision
    output: Path
    workspace: Path
    reference: Path | None = None
    no_reference: bool = False
    lock_file: Path | None = None
    keep: bool = False
    clean: bool = False
    parallel: bool = False
    vary: str = "default"
    locked_only: bool = False
    todays_packages: bool = False
    command: tuple[str, ...] = ()
    rebuilders_said: SavedAnswers = field(default_factory=SavedAnswers)

    @property
    def makes_lock(self) -> bool:
        return self.choice.mkosi_args is not None and self.lock_file is None

    def require_meaningful(self) -> None:
        """Raises TeekitError for what does not go together, and for folders that overlap: before anything is built."""
        if self.bringing.snapshot is not None and not self.makes_lock:
            raise TeekitError(
                "--snapshot has no effect when a lock pins the packages", hint="Leave it out, or leave the lock out."
            )
        stranger = self.choice.source if self.choice.mkosi_args is not None else None
        require_apart(self.output, self.workspace, stranger or self.bringing.project.mkosi)
        self._require_meaningful_network()
        if self.no_reference and self.reference is not None:
            raise TeekitError("--reference and --no-reference cannot be used together", hint="Give one of them.")
        if self.reference is not None:  # the report takes its folder's place, and it would be gone
            require_apart(self.output, self.reference)
        replacing.require_replaceable(self.output)

    def _require_meaningful_network(self) -> None:
        """Raises TeekitError where scripts are to fetch, and cannot."""
        if self.choice.fetched is not None:  # the report takes its folder's place, and it would be gone
            require_apart(self.output, self.choice.fetched)
        if not self.choice.allow_network_fetch:
            return
        if self.bringing.offline:
            raise TeekitError(
                "--allow-network-fetch and --offline cannot be used together",
                hint="Give a recording with --fetched DIR, the folder `fetched` of an earlier report.",
            )
        if self.parallel:
            raise TeekitError(
                "--allow-network-fetch and --parallel cannot be used together: build B has what build A fetched",
                hint="Leave out --parallel, or give a recording with --fetched DIR.",
            )


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """`withdrawn` is why the release must not be accepted any more, or None."""

    report: RebuildReport
    withdrawn: str | None


def rebuild(request: RebuildRequest, page: Page | None = None) -> Rebuilt:
    """Build twice, compare, and leave the report in the output folder. `page` makes its report.html; None leaves it out.

    Raises TeekitError where there is no verdict; what is known by then is in the output folder, and finished builds in the workspace.
    """
    request.require_meaningful()
    varied, progress = variation.conditions(request.vary), request.bringing.progress
    named_lock = None if request.lock_file is None else lock.load(request.lock_file)  # perhaps of the older report
    place = Workspace(request.workspace.resolve())
    with place.locked(), replacing.older_named(request.output, progress.note):
        if request.clean:
            place.clear()
        run.require_host(request.bringing, place)
        subject = find_subject(request.choice, request.bringing, place)
        published = None if request.no_reference else judging.find_reference(request.reference, subject.reference)
        locked = named_lock or _lock(request, subject)
        lock.require_trusted(locked, [one.trusted for one in subject.target.repositories])
        may = subject.is_checkout and named_lock is None and not (request.locked_only or request.bringing.offline)
        plan, taken = todays.prepare(
            subject.target, subject.bringing, place, locked, outright=request.todays_packages, may=may
        )
        may_fetch = _fetching(request, subject)
        subject.require_unchanged()
        known = judging.unfinished(
            subject, plan, varied, published, command=request.command, output=request.output, todays=taken
        )
        try:
            two = run.build_twice(plan, varied, place, progress, parallel=request.parallel, fetching=may_fetch)
            report = judging.judge(known, two, progress)
            report = _with_rebuilders(report, request.rebuilders_said)
        except TeekitError as error:
            with suppress(Exception):  # the first error is the one to show
                judging.write_failure(known, error, place, progress, page)
            raise
        directory.write(request.output, report, two, page)
        if not request.keep:
            place.clear()
    return Rebuilt(report, subject.withdrawn)


def _fetching(request: RebuildRequest, subject: Subject) -> fetching.Fetching | None:
    if not request.choice.fetches:
        return None
    store, given = subject.bringing.store, request.choice.fetched
    recording = None if given is None else fetching.load(given, store, subject.bringing.progress)
    return fetching.Fetching(store, recording)


def _with_rebuilders(report: RebuildReport, answers: SavedAnswers) -> RebuildReport:
    if report.consumed is None:
        return report
    foreign = {package.sha256 for repository in report.repositories for package in repository.packages}
    return replace(report, rebuilt_packages=answers.of(report.consumed.packages, foreign))


def _lock(request: RebuildRequest, subject: Subject) -> lock.PackageLock:
    bringing = subject.bringing
    if request.makes_lock:
        return bringing.new_image_lock((subject.target,))
    locked = lock.load(bringing.project.image_lock)
    lock.require_time(locked, bringing.snapshot)
    return locked
