"""Builds an image twice and compares: the main job, without the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.rebuild.build import Attempt, Plan
from teekit_verify.rebuild.comparison import explain_artifacts
from teekit_verify.rebuild.environment import hold

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.core.progress import Progress
    from teekit_verify.explanation.tree import Explanation
    from teekit_verify.rebuild.images import Target
    from teekit_verify.rebuild.lock import PackageLock
    from teekit_verify.rebuild.provision import Provision
    from teekit_verify.rebuild.variation import Variations
    from teekit_verify.rebuild.workspace import Workspace
    from teekit_verify.reference.model import Build

NEEDED_BYTES = 6 << 30


@dataclass(frozen=True, slots=True)
class TwoBuilds:
    """Both builds, and why they differ. `explanations` is empty exactly when all artifacts are identical."""

    plan: Plan
    varied: Variations
    attempts: tuple[Attempt, Attempt]
    builds: tuple[Build, Build]
    explanations: tuple[Explanation, ...]

    def artifact(self, name: str) -> Path:
        """Build A's file of that name, in the workspace."""
        return self.attempts[0].output / name


def prepare(target: Target, provision: Provision, workspace: Workspace, locked: PackageLock) -> Plan:
    """Everything before the builds: space, environment, packages. `workspace` must be locked."""
    workspace.require_space(NEEDED_BYTES)
    environment = provision.environment()
    hold(environment, workspace.environment)
    packages = locked.for_target(target.key)
    provision.fetch(locked, packages)
    provision.package_folder(packages, workspace.packages)
    return Plan(provision.project, target, environment, locked, packages, workspace.packages)


def build_twice(plan: Plan, varied: Variations, workspace: Workspace, progress: Progress) -> TwoBuilds:
    """Make build A and build B, or find them finished by an interrupted run, and compare their artifacts."""
    first = Attempt(plan, workspace.build("A"), varied.first)
    second = Attempt(plan, workspace.build("B"), varied.second)
    builds = _make("A", first, progress), _make("B", second, progress)
    with progress.step("compare the artifacts of A and B"):
        described = varied.first.described(), varied.second.described()
        explanations = explain_artifacts(
            plan.target.artifacts, first.output, second.output, described, scratch=workspace.root
        )
    return TwoBuilds(plan, varied, (first, second), builds, explanations)


def _make(name: str, attempt: Attempt, progress: Progress) -> Build:
    finished = attempt.finished()
    if finished is not None:
        progress.note(f"build {name} was finished by an earlier, interrupted run with the same inputs: taken as it is")
        return finished
    with progress.step(f"build {name}"):
        return attempt.make()
