"""Rebuilds on rebuilderd: the jobs of all releases, and what a worker runs for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.files import create_folder, write_whole
from teekit_verify.record.rebuilderd import SUFFIX, JobRequest, MadeJob, run_job
from teekit_verify.record.rebuilderd import jobs as make_jobs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from teekit_verify.record.document import RebuildReport

__all__ = ["JobRequest", "rebuild_job", "write_jobs"]


def write_jobs(releases: Path, output: Path, *, repository: str | None = None) -> tuple[MadeJob, ...]:
    """NAME.job.json in `output` for every release that is not withdrawn. `repository` is the source of those that name none.

    Raises TeekitError for a release that cannot be read or disagrees with itself, before anything is written.
    """
    made = tuple(make_jobs(releases, repository))
    create_folder(output)
    for job in made:
        write_whole(output / f"{job.name}{SUFFIX}", job.data)
    return made


def rebuild_job(request: JobRequest, page: Callable[[RebuildReport], bytes] | None = None) -> RebuildReport:
    """Rebuild a job's release, and put its artifacts into the output folder if they are what was published (or differ). Uses the network.

    Raises TeekitError where there is no verdict; then nothing is in the output folder.
    """
    return run_job(request, page)
