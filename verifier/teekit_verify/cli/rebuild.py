"""`teekit-verify rebuild`: the main job."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer  # noqa: TC002 - it reads annotations at run time

from teekit_verify.cli.options import rebuild as given
from teekit_verify.cli.options import shared
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from teekit_verify.record.document import RebuildReport


def rebuild(
    context: typer.Context,
    image: shared.ImageOption = "base",
    profile: shared.ProfileOption = None,
    kernel: shared.KernelOption = "debian",
    reference: given.ReferenceOption = None,
    output: given.OutputOption = Path("report"),
    workspace: given.WorkspaceOption = Path("workspace"),
    keep: given.KeepOption = False,
    clean: given.CleanOption = False,
    parallel: given.ParallelOption = False,
    vary: given.VaryOption = "default",
    lock_file: shared.LockOption = None,
    source: shared.SourceOption = None,
    release: given.ReleaseOption = None,
    commit: given.CommitOption = None,
    repository: given.RepositoryOption = None,
    tag_key: given.TagKeyOption = None,
    mkosi_args: given.MkosiArgsOption = None,
    allow_dirty: given.AllowDirtyOption = False,
    offline: given.OfflineOption = False,
    mirror: shared.MirrorOption = None,
    snapshot: shared.SnapshotOption = None,
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE,
    npm_registry: shared.NpmRegistryOption = None,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Build an image twice; compare with what was published.

    The conditions of the builds differ (--vary). The measurements of the image are predicted, and compared too.

    Exit status: 0 REPRODUCED, 1 another verdict, 2 none: wrong usage, or a build failed.
    """
    from teekit_verify.rebuild import lock, run, variation
    from teekit_verify.rebuild.subject import Choice, find_subject
    from teekit_verify.rebuild.workspace import Workspace, require_apart
    from teekit_verify.record import directory, judging
    from teekit_verify.report.html import page

    command = shared.command_line(context)
    if release is not None or mkosi_args is not None:
        _require_no_image(command)
    varied = variation.conditions(vary)
    choice = Choice(
        image=image,
        profiles=shared.profiles_of(kernel, profile),
        source=source,
        release=release,
        commit=commit,
        repository=repository,
        tag_key=tag_key,
        mkosi_args=mkosi_args,
        allow_dirty=allow_dirty,
    )
    own = source if mkosi_args is None else None  # a stranger's project is built with our environment
    bringing = replace(
        shared.provision(own, mirror, snapshot_archive, npm_registry), offline=offline, snapshot=snapshot
    )
    makes_lock = mkosi_args is not None and lock_file is None
    if snapshot is not None and not makes_lock:
        raise TeekitError("--snapshot says nothing where a lock names the packages", hint="Leave it out.")
    require_apart(output, workspace, *([source] if source and mkosi_args is not None else [bringing.project.mkosi]))
    _require_place(output, reference)
    named_lock = None if lock_file is None else lock.load(lock_file)  # it may be that of the older report
    place = Workspace(workspace.resolve())
    with place.locked():
        if (older := directory.set_aside(output)) is not None:
            bringing.progress.note(f"the older report is {older} until there is a new one")
        if clean:
            place.clear()
        run.require_host(bringing, place)
        subject = find_subject(choice, bringing, place)
        bringing, target = subject.bringing, subject.target
        published = judging.find_reference(reference, subject.reference)
        if makes_lock:
            locked = bringing.new_image_lock((target,))
        else:
            locked = named_lock or lock.load(bringing.project.image_lock)
        plan = run.prepare(target, bringing, place, locked)
        subject.require_unchanged()
        known = judging.unfinished(subject, plan, varied, published, command=command, output=output)
        try:
            two = run.build_twice(plan, varied, place, bringing.progress, parallel=parallel)
            report = judging.judge(known, two, bringing.progress)
        except TeekitError as error:
            with suppress(Exception):  # the first error is the one to show
                judging.write_failure(known, error, place, bringing.progress, page.render)
            raise
        directory.write(output, report, two, page.render)
        if not keep:
            place.clear()
    _show(report, json_output=json_output)
    return report.verdict.exit_status


def _show(report: RebuildReport, *, json_output: bool) -> None:
    from teekit_verify.record import json_report
    from teekit_verify.report import layout
    from teekit_verify.report.rebuild import screen

    if json_output:
        sys.stdout.write(json_report.render_rebuild(report).decode())
    else:
        screen.show(report, layout.console(sys.stdout))


def _require_no_image(command: tuple[str, ...]) -> None:
    """A choice that would be passed over in silence."""
    for option in ("--image", "--profile", "--kernel"):
        if option in command:
            raise TeekitError(f"{option} says nothing here: the release, or --mkosi-args, does", hint="Leave it out.")


def _require_place(output: Path, reference: Path | None) -> None:
    """The report takes its folder's place: whoever stood in the old one would stand nowhere, and a reference be gone."""
    from teekit_verify.rebuild.workspace import require_apart
    from teekit_verify.record import directory

    if reference is not None:
        require_apart(output, reference)
    if Path.cwd().is_relative_to(output.resolve()):
        raise TeekitError(f"{output} is the folder you are in", hint="Name another folder with --output DIR.")
    directory.require_replaceable(output)
