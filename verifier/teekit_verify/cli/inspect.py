"""`teekit-verify inspect`: what is in a file. It never says whether that is acceptable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import DebugOption, JsonOption
from teekit_verify.core.outcome import ExitStatus


def inspect(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A unified kernel image (UKI), or a disk with one: raw, fixed .vhd, or .tar.gz of disk.raw.",
            show_default=False,
        ),
    ],
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show what is in FILE: the sections of a UKI with sizes and digests, the command line, os-release, the stub's version;
    of a disk also its partitions and the files in its EFI system partition.

    Exit status: 0 the file was read; that says nothing about whether it is acceptable.
    """
    from teekit_verify.artifacts.disk import ArtifactKind, recognise
    from teekit_verify.report import disk_inspection, json_report, layout, terminal
    from teekit_verify.report.inspection import inspect_uki

    out = layout.console(sys.stdout)
    if recognise(file) is ArtifactKind.UKI:
        facts = inspect_uki(file)
        if json_output:
            typer.echo(json_report.render_inspection(facts).decode(), nl=False)
        else:
            terminal.show_inspection(facts, out)
    else:
        disk = disk_inspection.inspect_disk(file)
        if json_output:
            typer.echo(disk_inspection.render_disk(disk).decode(), nl=False)
        else:
            disk_inspection.show_disk(disk, out)
    return ExitStatus.HOLDS
