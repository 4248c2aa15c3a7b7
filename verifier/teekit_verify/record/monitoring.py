"""A look at everything that may go wrong after a release: lost inputs, contradictions, releases that nobody reproduced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.across import check_across
from teekit_verify.appraisal.statements.watched import Alarm, AlarmKind, of_repository, reproduced_by
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import create_folder
from teekit_verify.rebuild import inputs_archive, inputs_places
from teekit_verify.rebuild.release_dates import filed_on, published_on
from teekit_verify.reference.releases import DamagedRelease, KnownRelease, list_releases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date
    from pathlib import Path

    from teekit_verify.appraisal.statements.repository import CheckedRepository, FiledStatement, LogRule
    from teekit_verify.rebuild.inputs_places import Place
    from teekit_verify.reference.signing.keys import TrustedKey

    LostFiles = Callable[[str], Iterable[tuple[str, str, str]]]


@dataclass(frozen=True, slots=True)
class MonitorRequest:
    """`releases` is the folder they are in; `inputs` are archives that should have every release, beside those that releases name.

    A release must be stated reproduced by `threshold` auditors within `max_age_days` (None: whenever) of its publication, as of the day `on`;
    `trusted` says whose keys count, None that those in the repository do. `others` are repositories to hold it against.
    A statement must be in a log within `max_unlogged_days` (None: nobody asks) of its publication; `log` says in which, None that the repository does.
    """

    statements: Path
    releases: Path
    cache: Path
    on: date
    others: Sequence[Path] = ()
    inputs: Sequence[str] = ()
    trusted: Sequence[TrustedKey] | None = None
    threshold: int = 1
    max_age_days: int | None = None
    log: LogRule | None = None
    max_unlogged_days: int | None = None


def monitor(request: MonitorRequest, lost_files: LostFiles | None = None) -> Iterator[Alarm]:
    """Alarms, as they are found. `lost_files`, if given, is asked for the locked files of a release that nobody has: name, digest, reason.

    Withdrawn releases are passed over. Raises TeekitError where there is nothing to look at.
    """
    known = list_releases(request.releases).releases
    if not known:
        raise TeekitError(f"{request.releases}: has no releases (NAME/release.json)", hint="Name another folder.")
    checked = check_across(request.statements, None, request.others, request.log)
    if request.max_unlogged_days is not None and any(filed.logged is None for filed in checked.statements):
        raise TeekitError(
            f"{request.statements}: has no policy that says what is logged", hint="Name one with --log-policy."
        )
    yield from of_repository(checked)
    yield from _unlogged(request, checked)
    places = [inputs_places.parse(text) for text in request.inputs]
    create_folder(request.cache)
    for item in known:
        if isinstance(item, DamagedRelease):
            yield Alarm(AlarmKind.RELEASE_DAMAGED, item.name, message=item.problem)
        elif item.release.withdrawn is None:
            yield from _of_release(item, request, checked, places)
            yield from _of_locks(item, lost_files)


def _of_release(
    item: KnownRelease, request: MonitorRequest, checked: CheckedRepository, places: Sequence[Place]
) -> Iterator[Alarm]:
    for what in item.disagreements:
        yield Alarm(AlarmKind.RELEASE_DAMAGED, item.name, what.value)
    yield from _unreproduced(item, request, checked)
    for place in (*places, *_named(item)):
        yield from _of_archive(item, place, request.cache)


def _named(item: KnownRelease) -> list[Place]:
    """The archives that the release itself names, and of which manifest."""
    said = item.release.inputs
    if said is None:
        return []
    return [replace(inputs_places.parse(text), manifest_sha256=said.manifest_sha256) for text in said.locations]


def _unreproduced(item: KnownRelease, request: MonitorRequest, checked: CheckedRepository) -> Iterator[Alarm]:
    if request.max_age_days is None:
        return
    who = reproduced_by(request.statements, checked, item.name, item.reference, trusted=request.trusted, on=request.on)
    if len(who) >= request.threshold:
        return
    try:
        day = published_on(request.releases, item.name)
    except TeekitError as error:
        yield Alarm(AlarmKind.AGE_UNKNOWN, item.name, auditors=who, message=error.message)
        return
    age_days = (request.on - day).days
    if age_days < 0:
        yield Alarm(AlarmKind.AGE_UNKNOWN, item.name, auditors=who, published_on=day.isoformat())
    elif age_days > request.max_age_days:
        yield Alarm(AlarmKind.UNREPRODUCED, item.name, auditors=who, published_on=day.isoformat())


def _unlogged(request: MonitorRequest, checked: CheckedRepository) -> Iterator[Alarm]:
    """Statements without a good proof. A proof that is bad is told at once, as a file that is not in order."""
    if request.max_unlogged_days is None:
        return
    for filed in checked.statements:
        if not filed.logged:
            yield from _since(filed, request, request.max_unlogged_days)


def _since(filed: FiledStatement, request: MonitorRequest, most_days: int) -> Iterator[Alarm]:
    told = Alarm(AlarmKind.AGE_UNKNOWN, filed.release, file=filed.file, auditors=(filed.auditor,))
    try:
        day = filed_on(request.statements, filed.file)
    except TeekitError as error:
        yield replace(told, message=error.message)
        return
    age_days = (request.on - day).days
    if age_days < 0:
        yield replace(told, published_on=day.isoformat())
    elif age_days > most_days:
        yield replace(told, kind=AlarmKind.NOT_LOGGED, published_on=day.isoformat())


def _of_archive(item: KnownRelease, place: Place, cache: Path) -> Iterator[Alarm]:
    try:
        found = inputs_archive.check(place, item.name, item.release.commit, cache)
    except TeekitError as error:
        yield Alarm(AlarmKind.INPUTS_UNREADABLE, item.name, place=place.given, message=error.message)
        return
    for problem in found.problems:
        yield Alarm(AlarmKind.INPUT_LOST, item.name, problem.wrong.value, place.given, problem.title, problem.digest)


def _of_locks(item: KnownRelease, lost_files: LostFiles | None) -> Iterator[Alarm]:
    if lost_files is None:
        return
    try:
        for name, digest, reason in lost_files(item.name):
            yield Alarm(AlarmKind.INPUT_LOST, item.name, reason, file=name, digest=digest)
    except TeekitError as error:
        yield Alarm(AlarmKind.INPUTS_UNREADABLE, item.name, message=error.message)
