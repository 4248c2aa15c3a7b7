"""From two builds, or from none, to the report of a rebuild."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify import __version__
from teekit_verify.appraisal.checklist import Note
from teekit_verify.appraisal.rebuild.appraise import appraise_rebuild
from teekit_verify.appraisal.rebuild.verdict import Lack, Verdict
from teekit_verify.artifacts.uki import open_uki
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.documents import codec, load
from teekit_verify.inspection.host_inputs import unmeasured_inputs
from teekit_verify.inspection.space import space_of
from teekit_verify.prediction.image import measure_rebuilt
from teekit_verify.rebuild import repositories_used
from teekit_verify.rebuild.vouching import EnvironmentFrom, ReferenceFrom, own_project, reference_from
from teekit_verify.record import directory
from teekit_verify.record.comparison import ReferenceUsed
from teekit_verify.record.document import RebuildReport, inputs_used, steps, variations
from teekit_verify.wording.checks import reason_line, reason_lines

if TYPE_CHECKING:
    from teekit_verify.appraisal.rebuild.verdict import Decision
    from teekit_verify.core.errors import TeekitError
    from teekit_verify.core.progress import Progress
    from teekit_verify.documents.model import Reference
    from teekit_verify.rebuild.build import Plan
    from teekit_verify.rebuild.run import TwoBuilds
    from teekit_verify.rebuild.subject import Subject
    from teekit_verify.rebuild.todays import TodaysPackages
    from teekit_verify.rebuild.variation import Variations
    from teekit_verify.rebuild.workspace import Workspace
    from teekit_verify.record.directory import Page


@dataclass(frozen=True, slots=True)
class Published:
    """The reference, and how the report names it."""

    reference: Reference
    used: ReferenceUsed


def find_reference(named: Path | None, default: Path | None) -> Published | None:
    """Read before the builds, so that a wrong file is known at once; the builds never see it."""
    path = named or default
    if path is None or (named is None and not path.exists()):
        return None
    data = codec.read_bounded(path)
    reference = load.parse_reference(data, str(path))
    digest = Digest.of(Algorithm.SHA256, data)
    return Published(reference, ReferenceUsed(str(path), reference.release, reference.commit, digest))


def unfinished(
    subject: Subject,
    plan: Plan,
    varied: Variations,
    published: Published | None,
    *,
    command: tuple[str, ...],
    output: Path,
    todays: TodaysPackages | None = None,
) -> RebuildReport:
    """What is known before the builds, and stays true whatever they end with."""
    return RebuildReport(
        verdict=Verdict.FAILED,
        reasons=(),
        tool_version=__version__,
        image=plan.target.image,
        profiles=plan.target.profiles,
        directory=str(output),
        command=command,
        origin=subject.origin,
        smells=subject.smells,
        environment=plan.environment.record,
        variations=variations(varied.first.described(), varied.second.described(), varied.off),
        reference=None if published is None else published.used,
        published=None if published is None else published.reference,
        environment_from=EnvironmentFrom.DEBIAN if todays is not None else subject.environment_from,
        reference_from=None if published is None else _reference_from(published, subject),
        todays_packages=todays,
        environment_chosen=subject.environment_chosen,
        repositories=repositories_used.used(plan.lock, plan.target.key),
    )


def _reference_from(published: Published, subject: Subject) -> ReferenceFrom:
    is_default = published.used.path == str(subject.reference)
    return reference_from(
        Path(published.used.path), subject.bringing.project.root, own_project(), is_default=is_default
    )


def write_failure(
    known: RebuildReport, error: TeekitError, workspace: Workspace, progress: Progress, page: Page | None
) -> None:
    """An older report must not be taken for that of the rebuild which failed."""
    report = replace(known, reasons=(error.message,), failure=error.message, steps=steps(progress.timings))
    logs = tuple(workspace.build(name) / "build.log" for name in "AB")
    directory.write_failure(Path(known.directory), report, logs, page)


def judge(known: RebuildReport, two: TwoBuilds, progress: Progress) -> RebuildReport:
    """Predict what build A's artifacts measure, and decide. Raises TeekitError where they cannot be measured."""
    reference = known.published
    target = two.plan.target
    with progress.step("predict the measurements"):
        disk = None if target.disk_artifact is None else two.artifact(target.disk_artifact)
        platforms = () if reference is None else reference.platforms
        measurements = measure_rebuilt(two.artifact(target.artifacts[0]), disk, platforms)
        with open_uki(two.artifact(target.artifacts[0])) as uki:
            unmeasured, space = unmeasured_inputs(uki), space_of(uki)
    appraisal = appraise_rebuild(
        *two.builds, measurements, reference, from_todays_packages=known.todays_packages is not None
    )
    seen_by_a, seen_by_b = (attempt.seen() for attempt in two.attempts)
    return replace(
        known,
        verdict=appraisal.decision.verdict,
        reasons=reason_lines(appraisal.decision.reasons),
        failure=_failure(appraisal.decision),
        inputs=inputs_used(*two.builds, reference, appraisal),
        artifacts=appraisal.artifacts,
        explanations=two.explanations,
        measurements=measurements,
        checklist=appraisal.checklist,
        steps=steps(progress.timings),
        consumed=two.builds[0].inputs,
        unmeasured_inputs=unmeasured,
        space=space,
        seen_by_a=seen_by_a,
        seen_by_b=seen_by_b,
        network=None if two.fetched is None else two.fetched.used,
    )


def _failure(decision: Decision) -> str:
    """What no other field of a report says."""
    return "\n".join(
        reason_line(reason) for reason in decision.reasons if reason in {Lack.ARTIFACTS, Note.NOTHING_COMPARED}
    )
