"""`teekit-verify packages`: which locked packages others have reproduced."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.shared import DebugOption, JsonOption
from teekit_verify.core.outcome import ExitStatus


def packages(
    locks: Annotated[
        list[Path], typer.Argument(metavar="LOCK", help="Locks of packages, as `lock` and `env lock` write them.")
    ],
    rebuilders: Annotated[
        list[str] | None,
        typer.Option(
            "--rebuilderd", metavar="URL", help="Ask this rebuilder (rebuilderd). May be repeated.", show_default=False
        ),
    ] = None,
    saved: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="A saved answer of /api/v0/pkgs/list, in place of a rebuilder. May be repeated.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="It is enough that no package is BAD and some are GOOD.")
    ] = False,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Ask rebuilders which locked packages they reproduced.

    They name packages by version, not by digest: GOOD says that somebody rebuilt what had this name and version, bit for bit.

    Exit status: 0 each is GOOD, 1 one is BAD, 2 a rebuilder did not answer, or a package is
    neither (with --allow-unknown: only if none is GOOD).
    """
    from teekit_verify import api
    from teekit_verify.report import layout, packages_report

    if not rebuilders and not saved:
        raise typer.BadParameter("name --rebuilderd URL or --from FILE")
    found = api.vet_packages(locks, rebuilders=rebuilders or (), lists=saved or (), unknown_allowed=allow_unknown)
    if json_output:
        typer.echo(packages_report.render(found).decode(), nl=False)
    else:
        packages_report.show(found, layout.console(sys.stdout))
    return found.status
