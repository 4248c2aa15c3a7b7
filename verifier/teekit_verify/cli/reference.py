"""`teekit-verify reference`: make reference values, and look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import DebugOption
from teekit_verify.core.outcome import ExitStatus

reference = typer.Typer(help="Reference values: create them from a rebuild, check a file.", rich_markup_mode=None)


@reference.command("create")
def create(
    report: Annotated[
        Path,
        typer.Argument(
            help="The report folder of a rebuild in which A and B were equal.", exists=True, file_okay=False
        ),
    ],
    release: Annotated[str, typer.Option(help="What the release is called.")],
    output: Annotated[Path, typer.Option(help="The file to write.")],
    commit: Annotated[str | None, typer.Option(help="The source commit, 40 hexadecimal digits.")] = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Write a reference file from a rebuild's report: its inputs, artifacts and predicted registers."""
    from teekit_verify.core.files import write_whole
    from teekit_verify.reference.create import create_reference, dump_reference
    from teekit_verify.report.directory import load_reproduced

    build, measurements = load_reproduced(report)
    document = create_reference(release=release, commit=commit, build=build, measurements=[measurements])
    write_whole(output, dump_reference(document))
    typer.echo(f"wrote {output}", err=True)
    return ExitStatus.HOLDS


@reference.command("check")
def check(file: Annotated[Path, typer.Argument(help="A reference file.")], debug: DebugOption = False) -> ExitStatus:
    """Check that a reference file is well formed: every field known, every event log leading to its value."""
    from teekit_verify.reference.load import load_reference

    document = load_reference(file)
    registers = sum(len(platform) for platform in document.platforms.values())
    typer.echo(f"{document.release}: {len(document.artifacts)} artifacts, {registers} registers, well formed")
    return ExitStatus.HOLDS
