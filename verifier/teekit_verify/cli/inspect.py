"""`teekit-verify inspect`: what is in a file. It never says whether that is acceptable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import DebugOption, JsonOption
from teekit_verify.core.outcome import ExitStatus


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A unified kernel image (UKI).", show_default=False)],
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show what is in FILE: its sections with sizes and digests, the command line, os-release, the stub's version.

    Exit status: 0 the file was read; that says nothing about whether it is acceptable.
    """
    from teekit_verify.report import json_report, layout, terminal
    from teekit_verify.report.inspection import inspect_uki

    facts = inspect_uki(file)
    if json_output:
        typer.echo(json_report.render_inspection(facts).decode(), nl=False)
    else:
        terminal.show_inspection(facts, layout.console(sys.stdout))
    return ExitStatus.HOLDS
