"""Rebuilds: the main job, as a request and one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.rebuild.images import DEBIAN_KERNEL
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.provision import Provision
from teekit_verify.rebuild.subject import Choice
from teekit_verify.record.read import load_rebuild
from teekit_verify.record.rebuild import RebuildRequest
from teekit_verify.record.rebuild import rebuild as run_rebuild

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from teekit_verify.core.progress import Progress
    from teekit_verify.record.document import RebuildReport
    from teekit_verify.record.rebuild import Rebuilt


def rebuild_request(
    checkout: Path,
    output: Path,
    *,
    workspace: Path,
    cache: Path,
    progress: Progress,
    snapshot_archive: str,
    image: str = "base",
    profiles: Sequence[str] = (DEBIAN_KERNEL,),
    release: str | None = None,
    mirror: str | None = None,
) -> RebuildRequest:
    """A request for the usual case: an image of this checkout, or one of its releases. Others are RebuildRequest itself.

    `output` takes the report, `workspace` the builds, `cache` what is fetched; `progress` is told what happens. `mirror` and
    `snapshot_archive` are addresses of Debian archives.
    """
    choice = Choice(
        image=image,
        profiles=tuple(profiles),
        source=None,
        release=release,
        commit=None,
        repository=None,
        tag_key=None,
        mkosi_args=None,
        allow_dirty=False,
    )
    bringing = Provision(Project.find(checkout), cache, progress, mirror, snapshot_archive)
    return RebuildRequest(choice, bringing, output, workspace)


def rebuild(request: RebuildRequest, page: Callable[[RebuildReport], bytes] | None = None) -> Rebuilt:
    """The main job: builds twice, compares with what was published, leaves the report folder. `report.verdict` decides. Uses the network.

    `page` makes the folder's report.html; None leaves it out.

    Raises TeekitError where there is no verdict: a build failed, inputs are missing, a folder cannot be written.
    """
    return run_rebuild(request, page)


def load_report(file: Path) -> RebuildReport:
    """A report.json of either version of its schema. It is read, and nothing in it is checked.

    Raises TeekitError with the JSON path of the offending field.
    """
    return load_rebuild(file)
