"""Appraises a rebuild: two builds, the measurements of the first, and what was published.

Rules. Each build's inputs are those of the other and of the reference, each file is the other's and the published one, and each register
is the published one: `verdict` says what follows where one of these fails.
Non-rules: build A stands for both only because B is compared with it, so its measurements decide nothing where the two differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.artifacts import ArtifactPair, check_all_artifacts, pair_artifacts
from teekit_verify.appraisal.checklist import Checklist
from teekit_verify.appraisal.rebuild.verdict import Decision, decide
from teekit_verify.appraisal.registers import appraise
from teekit_verify.documents.inputs import compare_inputs

if TYPE_CHECKING:
    from teekit_verify.documents.model import Build, Measurements, Reference


@dataclass(frozen=True, slots=True)
class RebuildAppraisal:
    """The decision, and all that led to it. `checklist` is None when there was no reference."""

    decision: Decision
    artifacts: tuple[ArtifactPair, ...]
    checklist: Checklist | None
    drift_between_builds: tuple[str, ...]
    drift_from_reference: tuple[str, ...]


def appraise_rebuild(
    build_a: Build,
    build_b: Build,
    measurements: Measurements,
    reference: Reference | None,
    *,
    from_todays_packages: bool = False,
) -> RebuildAppraisal:
    """`measurements` are those of build A's artifact; where A and B differ they decide nothing."""
    artifacts = pair_artifacts(build_a.artifacts, build_b.artifacts)
    between_builds = compare_inputs(build_a.inputs, build_b.inputs)
    from_reference: tuple[str, ...] = ()
    checklist = None
    if reference is not None:
        from_reference = compare_inputs(reference.inputs, build_a.inputs)
        published = Checklist(check_all_artifacts(reference.artifacts, build_a.artifacts))
        checklist = published + appraise(reference, measurements)
    decision = decide(
        from_todays_packages=from_todays_packages,
        drift_from_reference=from_reference,
        drift_between_builds=between_builds,
        artifacts=artifacts,
        checklist=checklist,
    )
    return RebuildAppraisal(decision, artifacts, checklist, between_builds, from_reference)
