"""Builds an image twice and compares: the main job, without the verdict."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import host, record, step_names
from teekit_verify.rebuild.build import Attempt, Plan
from teekit_verify.rebuild.comparison import explain_artifacts
from teekit_verify.rebuild.environment import hold
from teekit_verify.rebuild.workspace import remove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.core.progress import Progress
    from teekit_verify.documents.model import Build
    from teekit_verify.explanation.tree import Explanation
    from teekit_verify.rebuild.images import Target
    from teekit_verify.rebuild.lock import PackageLock
    from teekit_verify.rebuild.network.fetching import Fetched, Fetching, Rooms
    from teekit_verify.rebuild.provision import Provision
    from teekit_verify.rebuild.variation import Variations
    from teekit_verify.rebuild.workspace import Workspace

NEEDED_BYTES = 6 << 30
BUILDS = ("A", "B")


@dataclass(frozen=True, slots=True)
class TwoBuilds:
    """Both builds, and why they differ. `explanations` is empty exactly when all artifacts are identical. `fetched` is None where scripts
    had no network.
    """

    plan: Plan
    varied: Variations
    attempts: tuple[Attempt, Attempt]
    builds: tuple[Build, Build]
    explanations: tuple[Explanation, ...]
    fetched: Fetched | None = None

    def artifact(self, name: str) -> Path:
        """Build A's file of that name, in the workspace."""
        return self.attempts[0].output / name


@contextmanager
def _full_disk_in_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise TeekitError(
            f"{error.filename or 'the workspace'}: {error.strerror}",
            hint="Free some space, or build in a folder elsewhere, and run it again.",
        ) from error


@_full_disk_in_words()
def require_host(provision: Provision, workspace: Workspace) -> None:
    """What can be told of this host at once, before anything is fetched. `workspace` must be locked. Raises TeekitError."""
    workspace.require_space(NEEDED_BYTES)
    host.require_memory(1)
    needs_store = not provision.project.has_environment()
    host.require([workspace.root, provision.cache], needs_store=needs_store)


@_full_disk_in_words()
def prepare(target: Target, provision: Provision, workspace: Workspace, locked: PackageLock) -> Plan:
    """Everything before the builds: space, memory, environment, packages. `workspace` must be locked."""
    for name in BUILDS:
        if record.load(workspace.build(name)) is None:  # an interrupted build takes space, and is of no use
            remove(workspace.build(name))
    workspace.require_space(NEEDED_BYTES)
    host.require_memory(1)
    host.require_ids()
    environment = provision.environment()
    hold(environment, workspace.environment)
    packages = locked.for_target(target.key)
    provision.fetch(locked, packages)
    provision.package_folder(packages, workspace.packages)
    return Plan(
        provision.project, target, environment, locked, packages, workspace.packages, dict(provision.network.served)
    )


@_full_disk_in_words()
def build_twice(
    plan: Plan,
    varied: Variations,
    workspace: Workspace,
    progress: Progress,
    *,
    parallel: bool = False,
    fetching: Fetching | None = None,
) -> TwoBuilds:
    """Make build A and build B, or find them finished by an earlier run, and compare their artifacts.

    With `parallel` both are made at the same time, if memory allows; else TeekitError. `fetching`: their scripts may, as it says.
    """
    first = Attempt(plan, workspace.build("A"), varied.first)
    second = Attempt(plan, workspace.build("B"), varied.second)
    rooms = None if fetching is None else fetching.begin()
    if rooms is None:
        builds = _make(first, second, progress, parallel=parallel)
    else:
        first, second, builds = _make_fetching(first, second, progress, rooms, parallel=parallel)
    with progress.step("compare the artifacts of A and B"):
        recorded = varied.first.recorded(), varied.second.recorded()
        explanations = explain_artifacts(
            plan.target.artifacts, first.output, second.output, recorded, scratch=workspace.root
        )
    fetched = None if rooms is None else rooms.fetched()
    return TwoBuilds(plan, varied, (first, second), builds, explanations, fetched)


def _make_fetching(
    first: Attempt, second: Attempt, progress: Progress, rooms: Rooms, *, parallel: bool
) -> tuple[Attempt, Attempt, tuple[Build, Build]]:
    """As `_make`; build B has the recording of build A, so it begins after it unless there is one already."""
    first = _with_room("A", first, rooms)
    if parallel and rooms.recorder is None:
        second = _with_room("B", second, rooms)
        return first, second, _make(first, second, progress, parallel=True)
    build = _make_one("A", first, progress)
    second = _with_room("B", second, rooms)
    return first, second, (build, _make_one("B", second, progress))


def _with_room(name: Literal["A", "B"], attempt: Attempt, rooms: Rooms) -> Attempt:
    return replace(attempt, room=rooms.room(name, attempt.folder / "network"))


def _make(first: Attempt, second: Attempt, progress: Progress, *, parallel: bool) -> tuple[Build, Build]:
    found_first, found_second = _find("A", first, progress), _find("B", second, progress)
    if parallel and found_first is None and found_second is None:
        host.require_memory(2)
        with progress.step(step_names.SIDE_BY_SIDE):
            return first.make_beside(second)
    return found_first or _make_one("A", first, progress), found_second or _make_one("B", second, progress)


def _find(name: str, attempt: Attempt, progress: Progress) -> Build | None:
    finished = attempt.finished()
    if finished is not None:
        with progress.step(step_names.REUSED[name]):  # a step, so that the report says it too
            pass
    return finished


def _make_one(name: str, attempt: Attempt, progress: Progress) -> Build:
    host.require_memory(1)
    with progress.step(step_names.MADE[name]):
        return attempt.make()
