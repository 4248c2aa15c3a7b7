"""`teekit-verify rebuild`: the main job."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer  # noqa: TC002 - it reads annotations at run time

from teekit_verify.cli.findings import SarifOption, write_findings
from teekit_verify.cli.options import shared
from teekit_verify.cli.options.groups import grouped
from teekit_verify.cli.options.rebuild import (
    BuildOptions,
    ComparisonOptions,
    PackageOptions,
    SubjectOptions,
    rebuild_request,
)
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import require_no_link, resolved
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from teekit_verify.api import RebuildReport


@grouped
def rebuild(
    context: typer.Context,
    subject: SubjectOptions,
    comparison: ComparisonOptions,
    packages: PackageOptions,
    build: BuildOptions,
    sarif: SarifOption = None,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Build an image twice; compare with what was published.

    The conditions of the builds differ (--vary). The measurements of the image are predicted, and compared too.

    Exit status: 0 REPRODUCED, 1 another verdict, 2 none: wrong usage, or a build failed.
    """
    from teekit_verify import api
    from teekit_verify.report.html import page
    from teekit_verify.report.sarif.findings import of_rebuild

    command = shared.command_line(context)
    _require_meaningful(command)
    _require_place(build.output, build.workspace)
    request = rebuild_request(subject, comparison, packages, build, command)
    done = api.rebuild(request, page.render)
    _show(done.report, done.withdrawn, json_output=json_output)
    write_findings(sarif, of_rebuild(done.report), done.report.verdict.exit_status)
    return done.report.verdict.exit_status


def _show(report: RebuildReport, withdrawn: str | None, *, json_output: bool) -> None:
    from teekit_verify.report import layout
    from teekit_verify.report.rebuild import screen

    if json_output:
        sys.stdout.write(screen.render(report).decode())
    else:
        screen.show(report, layout.console(sys.stdout))
    if withdrawn is not None:  # what is shown last is read
        shared.say_warning(f"this release is withdrawn: {withdrawn}")


def _require_meaningful(command: tuple[str, ...]) -> None:
    if "--release" in command or "--mkosi-args" in command:
        _require_no_image(command)
    if "--todays-packages" in command:
        _require_plain(command)


def _require_no_image(command: tuple[str, ...]) -> None:
    """A choice that would be passed over in silence."""
    for option in ("--image", "--profile", "--kernel"):
        if option in command:
            raise TeekitError(
                f"{option} has no effect here: the release, or --mkosi-args, decides", hint="Leave it out."
            )


def _require_plain(command: tuple[str, ...]) -> None:
    """Today's packages are for a checkout: everything else names what it is made of."""
    for option in ("--release", "--commit", "--mkosi-args", "--lock", "--locked", "--offline"):
        if option in command:
            raise TeekitError(f"--todays-packages and {option} cannot be used together", hint="Give one of them.")


def _require_place(output: Path, workspace: Path) -> None:
    """Whoever stood in the old folder would stand nowhere; and a link that somebody put where a default goes is not followed."""
    for folder in {output, workspace} & {Path("report"), Path("workspace")}:
        require_no_link(folder)
    if Path.cwd().is_relative_to(resolved(output)):
        raise TeekitError(f"{output} is the folder you are in", hint="Name another folder with --output DIR.")
