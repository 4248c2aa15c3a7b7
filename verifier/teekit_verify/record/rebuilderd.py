"""Rebuilds for rebuilderd: jobs made of releases, and the backend that a worker runs for one.

What rebuilderd does (0.28, worker/src/rebuild.rs): it passes over a backend's exit status, and calls an artifact GOOD if a file of its
name is in the output folder and has its bytes. It puts the published artifacts beside the job before the backend starts. So:

Rules: until there is a verdict only the job is opened in its folder, and no build can see it. Nothing is put into the output folder before.
REPRODUCED puts all artifacts there. MISMATCH puts those that differ from the published ones, to be looked at; what is published beside a reference
file that says something else is among neither: none of a release that is not reproduced is GOOD. Any other verdict, or none, puts nothing there,
which rebuilderd calls BAD.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.core.digest import Algorithm, Digest, digest_file
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import held, write_whole
from teekit_verify.documents import codec
from teekit_verify.documents.rebuilderd_job import JOB_SCHEMA, Job, load_job
from teekit_verify.rebuild.subject import Choice
from teekit_verify.rebuild.workspace import remove
from teekit_verify.record.rebuild import RebuildRequest, rebuild
from teekit_verify.reference.releases import DamagedRelease, find_release, list_releases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.documents.model import Artifact
    from teekit_verify.rebuild.provision import Provision
    from teekit_verify.record.directory import Page
    from teekit_verify.record.document import RebuildReport
    from teekit_verify.reference.releases import KnownRelease

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,200}")
SUFFIX = ".job.json"


@dataclass(frozen=True, slots=True)
class MadeJob:
    """`data` is the content of the job's file."""

    name: str
    version: str
    data: bytes
    artifacts: tuple[Artifact, ...]


def jobs(folder: Path, repository: str | None = None) -> Iterator[MadeJob]:
    """Of every release of `folder` that is not withdrawn. `repository` is where the source is of those that do not say it.

    Raises TeekitError for one that cannot be read, disagrees with itself, or has names that no address can end in: rebuilderd forgets what is
    not in the whole list, so that none may be left out in silence.
    """
    found = list_releases(folder).releases
    if not found:
        raise TeekitError(f"{folder}: has no releases (NAME/release.json)", hint="Name another folder.")
    for item in found:
        if isinstance(item, DamagedRelease):
            raise TeekitError(f"{item.name}: {item.problem}", hint="Correct the release, or move it elsewhere.")
        if item.release.withdrawn is None:
            yield _job(folder, item, repository)


def _job(folder: Path, item: KnownRelease, repository: str | None) -> MadeJob:
    _require_agreement(item)
    for name in (item.name, *(artifact.name for artifact in item.reference.artifacts)):
        if not _PLAIN.fullmatch(name):
            raise TeekitError(f"{item.name}: the name '{name}' cannot end an address", hint="Rename it.")
    data = codec.read_bounded(folder / item.name / item.release.reference)
    if Digest.of(Algorithm.SHA256, data) != item.sha256:
        raise TeekitError(f"{item.name}: the reference file was changed while it was read", hint="Run it again.")
    release = replace(item.release, repository=item.release.repository or repository)
    job = Job(JOB_SCHEMA, item.name, release, data.decode())
    return MadeJob(item.name, item.release.commit or item.release.tag or "", codec.dump(job), item.reference.artifacts)


def _require_agreement(item: KnownRelease) -> None:
    if item.disagreements:
        what = ", ".join(one.value for one in item.disagreements)
        raise TeekitError(
            f"{item.name}: release.json and {item.release.reference} name another {what}", hint="Ask the publisher."
        )


@dataclass(frozen=True, slots=True)
class JobRequest:
    """`job` is the file that a worker names, `output` its REBUILDERD_OUTDIR. `folder` gets a folder for each release: report and builds."""

    job: Path
    output: Path
    folder: Path
    bringing: Provision
    parallel: bool = False
    vary: str = "default"
    command: tuple[str, ...] = ()


def run_job(request: JobRequest, page: Page | None = None) -> RebuildReport:
    """Rebuild what the job asks for; the report stays in `folder`/NAME/report. Raises TeekitError where there is no verdict."""
    if not request.output.is_dir() or any(request.output.iterdir()):
        raise TeekitError(f"{request.output} is not an empty folder", hint="Name one, as rebuilderd's worker does.")
    job = load_job(request.job)
    place = request.folder / job.name
    with held(place, wait=True):
        known = _written(job, place / "releases")
        _require_agreement(known)
        report = rebuild(_request(job, place, request), page).report
        _put(report, known, place / "report" / "artifacts", request)
    return report


def _written(job: Job, releases: Path) -> KnownRelease:
    """The release as files, in a folder of releases that has no other."""
    remove(releases)
    folder = releases / job.name
    folder.mkdir(parents=True)
    write_whole(folder / "release.json", codec.dump(job.release))
    write_whole(folder / job.release.reference, job.reference.encode())
    return find_release(releases, job.name)


def _request(job: Job, place: Path, request: JobRequest) -> RebuildRequest:
    choice = Choice(release=job.name, releases=place / "releases")
    return RebuildRequest(
        choice,
        request.bringing,
        place / "report",
        place / "workspace",
        parallel=request.parallel,
        vary=request.vary,
        locked_only=True,
        command=request.command,
    )


def _put(report: RebuildReport, known: KnownRelease, made: Path, request: JobRequest) -> None:
    published = {artifact.name: artifact.sha256 for artifact in known.reference.artifacts}
    built = {pair.name: pair.a.sha256 for pair in report.artifacts if pair.a is not None}
    for name in sorted(published.keys() & built.keys()):
        same = built[name] == published[name]
        differs = report.verdict is Verdict.MISMATCH and not same and not _is(request.job.parent / name, built[name])
        if (report.verdict is Verdict.REPRODUCED and same) or differs:
            _put_one(made / name, request.output / name, built[name])


def _is(published: Path, digest: Digest) -> bool:
    """Whether what the worker fetched as published has these bytes, whatever the reference file says of it."""
    try:
        return published.is_file() and digest_file(published) == digest
    except OSError as error:
        raise TeekitError(f"{published}: cannot be read: {error.strerror}", hint="Run it again.") from error


def _put_one(made: Path, target: Path, expected: Digest) -> None:
    """Whole or not at all, and only the bytes that the verdict is about."""
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(made, part)
        found = digest_file(part)
        if found == expected:
            part.replace(target)
    except OSError as error:
        raise TeekitError(f"{target}: cannot be written: {error.strerror}", hint="Free some space.") from error
    if found != expected:
        raise TeekitError(f"{made}: was changed after the verdict", hint="Run it again.")
