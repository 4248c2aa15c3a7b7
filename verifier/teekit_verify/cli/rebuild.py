"""`teekit-verify rebuild`: the main job."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from teekit_verify import __version__
from teekit_verify.cli.options import (
    SNAPSHOT_ARCHIVE,
    DebugOption,
    ImageOption,
    JsonOption,
    KernelOption,
    LockOption,
    MirrorOption,
    NpmRegistryOption,
    ProfileOption,
    SnapshotArchiveOption,
    SourceOption,
    command_line,
    provision,
)
from teekit_verify.cli.subject import (
    AllowDirtyOption,
    Choice,
    CommitOption,
    MkosiArgsOption,
    OfflineOption,
    ReleaseOption,
    RepositoryOption,
    TagKeyOption,
    find_subject,
)
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.run import TwoBuilds
    from teekit_verify.rebuild.workspace import Workspace
    from teekit_verify.reference.model import Reference
    from teekit_verify.report.document import RebuildReport, ReferenceUsed


def rebuild(
    context: typer.Context,
    image: ImageOption = "base",
    profile: ProfileOption = None,
    kernel: KernelOption = "debian",
    reference: Annotated[
        Path | None, typer.Option(help="What was published. [default: the image's file in reference/, if there is one]")
    ] = None,
    output: Annotated[Path, typer.Option(help="The folder for the report.")] = Path("report"),
    workspace: Annotated[Path, typer.Option(help="The folder to build in; it survives an interruption.")] = Path(
        "workspace"
    ),
    keep: Annotated[bool, typer.Option("--keep", help="Keep the workspace when there is a verdict.")] = False,
    clean: Annotated[bool, typer.Option("--clean", help="Take nothing from an earlier, interrupted run.")] = False,
    parallel: Annotated[bool, typer.Option("--parallel", help="Make both builds at the same time.")] = False,
    vary: Annotated[
        str,
        typer.Option(
            help="What to vary: none, default or all, and +NAME or -NAME, with commas. docs/what-a-pass-means.md"
        ),
    ] = "default",
    lock_file: LockOption = None,
    source: SourceOption = None,
    release: ReleaseOption = None,
    commit: CommitOption = None,
    repository: RepositoryOption = None,
    tag_key: TagKeyOption = None,
    mkosi_args: MkosiArgsOption = None,
    allow_dirty: AllowDirtyOption = False,
    offline: OfflineOption = False,
    mirror: MirrorOption = None,
    snapshot_archive: SnapshotArchiveOption = SNAPSHOT_ARCHIVE,
    npm_registry: NpmRegistryOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Build an image twice under varied conditions; compare, measure, and compare with what was published."""
    from teekit_verify.rebuild import lock, run, variation
    from teekit_verify.rebuild.workspace import Workspace, require_apart
    from teekit_verify.report import directory, json_report, layout, rebuild_report

    varied = variation.conditions(vary)
    choice = Choice(
        image, profile, kernel, source, release, commit, repository, tag_key, mkosi_args, allow_dirty=allow_dirty
    )
    own = source if mkosi_args is None else None  # a stranger's project is built with our environment
    bringing = replace(provision(own, mirror, snapshot_archive, npm_registry), offline=offline)
    require_apart(output, workspace, *([source] if source and mkosi_args is not None else [bringing.project.mkosi]))
    _require_elsewhere(output)
    directory.require_replaceable(output)
    place = Workspace(workspace.resolve())
    with place.locked():
        if (older := directory.set_aside(output)) is not None:
            bringing.progress.note(f"the older report is {older} until there is a new one")
        if clean:
            place.clear()
        subject = find_subject(choice, bringing, place)
        bringing, target = subject.bringing, subject.target
        published = _find_reference(reference, subject.reference)
        if mkosi_args is not None and lock_file is None:
            locked = bringing.new_image_lock((target,))
        else:
            locked = lock.load(lock_file or bringing.project.image_lock)
        plan = run.prepare(target, bringing, place, locked)
        facts: dict[str, Any] = {
            "tool_version": __version__,
            "image": target.image,
            "profiles": target.profiles,
            "directory": str(output),
            "command": command_line(context),
            "origin": subject.origin,
            "smells": subject.smells,
        }
        try:
            two = run.build_twice(plan, varied, place, bringing.progress, parallel=parallel)
            report = _judge(two, published, bringing.progress, facts)
        except TeekitError as error:
            with suppress(TeekitError):  # the first error is the one to show
                _report_failure(error, place, bringing.progress, output, facts)
            raise
        directory.write(output, report, two)
        if not keep:
            place.clear()
    if json_output:
        sys.stdout.write(json_report.render_rebuild(report).decode())
    else:
        rebuild_report.show(report, layout.console(sys.stdout))
    return report.verdict.exit_status


def _find_reference(named: Path | None, default: Path | None) -> tuple[Reference, ReferenceUsed] | None:
    """Read before the builds, so that a wrong file is known at once; the builds never see it."""
    from teekit_verify.core.digest import Algorithm, Digest
    from teekit_verify.reference import documents, load
    from teekit_verify.report.document import ReferenceUsed

    path = named or default
    if path is None or (named is None and not path.exists()):
        return None
    data = documents.read_bounded(path)
    reference = load.parse_reference(data, str(path))
    return reference, ReferenceUsed(str(path), reference.release, reference.commit, Digest.of(Algorithm.SHA256, data))


def _require_elsewhere(output: Path) -> None:
    """The report takes its folder's place: whoever stood in the old one would stand nowhere."""
    if Path.cwd().is_relative_to(output.resolve()):
        raise TeekitError(f"{output} is the folder you are in", hint="Name another folder with --output DIR.")


def _report_failure(
    error: TeekitError, workspace: Workspace, progress: Progress, output: Path, facts: dict[str, Any]
) -> None:
    """An older report must not be taken for that of the rebuild which failed."""
    from teekit_verify.appraisal.verdict import Verdict
    from teekit_verify.report import directory
    from teekit_verify.report.document import RebuildReport, steps

    report = RebuildReport(
        verdict=Verdict.FAILED,
        reasons=(error.message,),
        steps=steps(progress.timings),
        **facts,
    )
    directory.write_failure(output, report, tuple(workspace.build(name) / "build.log" for name in "AB"))


def _judge(
    two: TwoBuilds, published: tuple[Reference, ReferenceUsed] | None, progress: Progress, facts: dict[str, Any]
) -> RebuildReport:
    from teekit_verify.appraisal.rebuild import appraise_rebuild
    from teekit_verify.reference.measure import measure_rebuilt
    from teekit_verify.report.document import RebuildReport, inputs_used, steps, variations

    reference, used = published or (None, None)
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
        reference=used,
        environment=two.builds[0].inputs.environment,
        inputs=inputs_used(*two.builds, reference, appraisal),
        variations=variations(two.varied.first.described(), two.varied.second.described(), two.varied.off),
        artifacts=appraisal.artifacts,
        explanations=two.explanations,
        measurements=measurements,
        checklist=appraisal.checklist,
        steps=steps(progress.timings),
        consumed=two.builds[0].inputs,
        published=reference,
        seen_by_a=seen_by_a,
        seen_by_b=seen_by_b,
        **facts,
    )
