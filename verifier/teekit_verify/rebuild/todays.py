"""A rebuild from today's packages, where locked ones are gone: it shows that the build is deterministic, and nothing more.

Only a checkout may be built so, never a release, a commit, or a lock that was named. The committed locks stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.core.download import DownloadError, Reason
from teekit_verify.core.errors import printable
from teekit_verify.rebuild import run
from teekit_verify.rebuild.archive import ArchiveError
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.workspace import remove

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.rebuild.build import Plan
    from teekit_verify.rebuild.images import Target
    from teekit_verify.rebuild.lock import PackageLock
    from teekit_verify.rebuild.provision import Provision
    from teekit_verify.rebuild.workspace import Workspace

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class TodaysPackages:
    """That a rebuild took them. `gone` are the locked files that no source has any more; none if they were asked for."""

    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TodaysProject(Project):
    """The checkout, with locks of its own in `locks`."""

    locks: Path

    @property
    def environment_lock(self) -> Path:
        return self.locks / "build-env.lock.json"

    @property
    def image_lock(self) -> Path:
        return self.locks / "packages.lock.json"


def prepare(
    target: Target, bringing: Provision, workspace: Workspace, locked: PackageLock, *, outright: bool, may: bool
) -> tuple[Plan, TodaysPackages | None]:
    """As `run.prepare`; with today's packages if that is asked for `outright`, or if they `may` be taken and locked ones are gone.

    Raises DownloadError where some are only unreachable, or have other bytes: tomorrow they may be there.
    """
    if outright:
        return _from_todays(target, bringing, workspace), TodaysPackages()
    try:
        return run.prepare(target, bringing, workspace, locked), None
    except DownloadError as error:
        missing_files = error.missing
        if not may or any(missing.reason is not Reason.GONE for missing in error.missing):
            raise
        gone = tuple(printable(missing.file.name) for missing in error.missing)
    more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
    bringing.progress.note(
        f"{len(gone)} locked packages are gone from every source: {', '.join(gone[:_SHOWN])}{more}; "
        "building from today's packages, which says nothing about the published bytes"
    )
    try:
        return _from_todays(target, bringing, workspace), TodaysPackages(gone)
    except (ArchiveError, DownloadError) as error:
        more = f"\n  and today's packages cannot be had either: {error.message}"
        raise DownloadError(missing_files, more=more) from error


def _from_todays(target: Target, bringing: Provision, workspace: Workspace) -> Plan:
    """The plan's project is the checkout: its source is what is built."""
    project = project_in(workspace, bringing.project)
    remove(project.locks)
    todays = replace(bringing, project=project)
    todays.new_environment_lock().write(project.environment_lock)
    locked = todays.new_image_lock((target,))
    locked.write(project.image_lock)
    return replace(run.prepare(target, todays, workspace, locked), project=bringing.project)


def project_in(workspace: Workspace, project: Project) -> TodaysProject:
    """Where the locks of today's packages are, while the workspace is there."""
    return TodaysProject(project.root, workspace.root / "todays-locks")
