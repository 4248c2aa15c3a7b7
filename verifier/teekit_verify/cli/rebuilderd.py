"""`teekit-verify rebuilderd`: rebuilds on rebuilderd, an engine that others run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import rebuild as given
from teekit_verify.cli.options import shared
from teekit_verify.cli.options.auditing import ReferencesOption
from teekit_verify.cli.options.groups import GroupedCommand
from teekit_verify.core.outcome import ExitStatus

rebuilderd = typer.Typer(help="Rebuilds on rebuilderd: its list of releases, its backend.", rich_markup_mode=None)


@rebuilderd.command("sync", cls=GroupedCommand)
def sync(
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="The folder for NAME.job.json.")],
    jobs_url: Annotated[str, typer.Option(metavar="URL", help="Where workers find that folder.")],
    artifacts_url: Annotated[
        str, typer.Option(metavar="URL", help="Where the published artifacts are: URL/NAME/FILE.")
    ],
    references: ReferencesOption = None,
    repository: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The source of releases that do not name theirs.", show_default=False),
    ] = None,
    source: shared.SourceOption = None,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Write a job for each release, print the list of them.

    It is what `rebuildctl pkgs sync-stdin` takes. Withdrawn releases are not in it: rebuilderd forgets what is not in the list.

    Exit status: 0 printed, 2 a release cannot be read.
    """
    from teekit_verify import api
    from teekit_verify.core.url import require_address
    from teekit_verify.report import rebuilderd_report

    places = [require_address(jobs_url, "--jobs-url"), require_address(artifacts_url, "--artifacts-url")]
    made = api.write_jobs(references or api.releases_folder(source), output, repository=repository)
    typer.echo(rebuilderd_report.package_report(made, *places).decode(), nl=False)
    return ExitStatus.HOLDS


@rebuilderd.command("backend", cls=GroupedCommand)
def backend(
    context: typer.Context,
    job: Annotated[Path, typer.Argument(metavar="JOB", help="The job, as the worker fetched it.")],
    outdir: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Where artifacts go once there is a verdict.", envvar="REBUILDERD_OUTDIR"),
    ],
    folder: Annotated[
        Path,
        typer.Option("--output", metavar="DIR", help="The folder for reports and builds, one folder for each release."),
    ] = Path("teekit-verify"),
    parallel: given.ParallelOption = False,
    vary: given.VaryOption = "default",
    offline: given.OfflineOption = False,
    source: shared.SourceOption = None,
    inputs: shared.InputsOption = None,
    mirror: shared.MirrorOption = None,
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE,
    npm_registry: shared.NpmRegistryOption = None,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Rebuild a release for a worker of rebuilderd.

    The artifacts are put into --outdir if they are what was published, and on a MISMATCH those that differ. docs/fleet.md

    Exit status: that of `rebuild`. rebuilderd passes over it.
    """
    from teekit_verify import api
    from teekit_verify.report import layout, rebuilderd_report
    from teekit_verify.report.html import page
    from teekit_verify.report.rebuild import screen

    bringing = shared.provision(source, mirror, snapshot_archive, npm_registry, inputs)
    report = api.rebuild_job(
        api.JobRequest(
            job,
            outdir,
            folder,
            replace(bringing, offline=offline),
            parallel=parallel,
            vary=vary,
            command=shared.command_line(context),
        ),
        page.render,
    )
    screen.show(report, layout.console(sys.stdout))
    typer.echo(rebuilderd_report.report_line(report))
    return report.verdict.exit_status
