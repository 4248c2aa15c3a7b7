"""From two builds, or from none, to the report of a rebuild."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teekit_verify import __version__

if TYPE_CHECKING:
    from teekit_verify.cli.subject import Subject
    from teekit_verify.core.errors import TeekitError
    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.build import Plan
    from teekit_verify.rebuild.run import TwoBuilds
    from teekit_verify.rebuild.variation import Variations
    from teekit_verify.rebuild.workspace import Workspace
    from teekit_verify.reference.model import Reference
    from teekit_verify.report.document import RebuildReport, ReferenceUsed


@dataclass(frozen=True, slots=True)
class Published:
    """The reference, and how the report names it."""

    reference: Reference
    used: ReferenceUsed


def find_reference(named: Path | None, default: Path | None) -> Published | None:
    """Read before the builds, so that a wrong file is known at once; the builds never see it."""
    from teekit_verify.core.digest import Algorithm, Digest
    from teekit_verify.reference import documents, load
    from teekit_verify.report.document import ReferenceUsed

    path = named or default
    if path is None or (named is None and not path.exists()):
        return None
    data = documents.read_bounded(path)
    reference = load.parse_reference(data, str(path))
    digest = Digest.of(Algorithm.SHA256, data)
    return Published(reference, ReferenceUsed(str(path), reference.release, reference.commit, digest))


def facts(
    command: tuple[str, ...],
    subject: Subject,
    plan: Plan,
    varied: Variations,
    published: Published | None,
    output: Path,
) -> dict[str, Any]:
    """What every report of this run says, also that of a failure."""
    from teekit_verify.report.document import variations

    return {
        "tool_version": __version__,
        "image": plan.target.image,
        "profiles": plan.target.profiles,
        "directory": str(output),
        "command": command,
        "origin": subject.origin,
        "smells": subject.smells,
        "environment": plan.environment.record,
        "variations": variations(varied.first.described(), varied.second.described(), varied.off),
        "reference": None if published is None else published.used,
        "published": None if published is None else published.reference,
    }


def report_failure(
    error: TeekitError, workspace: Workspace, progress: Progress, output: Path, known: dict[str, Any]
) -> None:
    """An older report must not be taken for that of the rebuild which failed."""
    from teekit_verify.appraisal.verdict import Verdict
    from teekit_verify.report import directory
    from teekit_verify.report.document import RebuildReport, steps

    report = RebuildReport(
        verdict=Verdict.FAILED,
        reasons=(error.message,),
        steps=steps(progress.timings),
        **known,
    )
    directory.write_failure(output, report, tuple(workspace.build(name) / "build.log" for name in "AB"))


def judge(two: TwoBuilds, published: Published | None, progress: Progress, known: dict[str, Any]) -> RebuildReport:
    from teekit_verify.appraisal.rebuild import appraise_rebuild
    from teekit_verify.reference.measure import measure_rebuilt
    from teekit_verify.report.document import RebuildReport, inputs_used, steps

    reference = None if published is None else published.reference
    target = two.plan.target
    with progress.step("predict the measurements"):
        disk = two.artifact(target.artifacts[1]) if target.profile.disk else None
        platforms = () if reference is None else reference.platforms
        measurements = measure_rebuilt(two.artifact(target.artifacts[0]), disk, platforms)
    appraisal = appraise_rebuild(*two.builds, measurements, reference)
    seen_by_a, seen_by_b = (attempt.seen() for attempt in two.attempts)
    return RebuildReport(
        verdict=appraisal.decision.verdict,
        reasons=appraisal.decision.reasons,
        inputs=inputs_used(*two.builds, reference, appraisal),
        artifacts=appraisal.artifacts,
        explanations=two.explanations,
        measurements=measurements,
        checklist=appraisal.checklist,
        steps=steps(progress.timings),
        consumed=two.builds[0].inputs,
        seen_by_a=seen_by_a,
        seen_by_b=seen_by_b,
        **known,
    )
