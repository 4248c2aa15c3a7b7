"""`teekit-verify attest check-repository`: whether a folder of many auditors' statements is in order."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.shared import DebugOption, JsonOption
from teekit_verify.core.outcome import ExitStatus


def check_repository(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="The repository: RELEASE/AUDITOR.intoto.jsonl, keys/AUDITOR.pem.",
            exists=True,
            file_okay=False,
        ),
    ],
    earlier: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="An earlier copy of the repository: nothing in it may have been changed or removed since.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    other: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Another repository of statements: an auditor must not say something else there. May be repeated.",
            exists=True,
            file_okay=False,
            show_default=False,
        ),
    ] = None,
    log_policy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The Sigsum policy for the proofs in it. [default: its own file policy, if there is one]",
            show_default=False,
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    require_logged: Annotated[
        bool, typer.Option("--require-logged", help="Each statement must have a good proof beside it.")
    ] = False,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Check a repository of statements, for its CI.

    Each statement is where it belongs, and signed by the key in the repository. Whom you trust is another question: `attest verify`.

    Exit status: 0 in order, 1 in order, but auditors contradict each other or what was published, 2 not in order.
    """
    from teekit_verify import api
    from teekit_verify.report import layout, repository_report

    checked = api.check_statements(
        directory, earlier=earlier, others=other or (), log_policy=log_policy, require_logged=require_logged
    )
    if json_output:
        typer.echo(repository_report.render(checked).decode(), nl=False)
    else:
        repository_report.show(checked, layout.console(sys.stdout))
    return checked.status
