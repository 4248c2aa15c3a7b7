"""`teekit-verify reference`: make reference values, look at them, sign them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import DebugOption, JsonOption
from teekit_verify.cli.sign import sign, verify
from teekit_verify.core.outcome import ExitStatus

reference = typer.Typer(
    help="Reference values: create them from a rebuild, check, show, sign and verify a file.", rich_markup_mode=None
)


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


@reference.command("show")
def show(
    file: Annotated[Path, typer.Argument(help="A reference file.")],
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show what a reference file says: its release, artifacts, registers and policies."""
    from teekit_verify.reference.create import dump_reference
    from teekit_verify.reference.load import load_reference
    from teekit_verify.report import layout, reference_report

    document = load_reference(file)
    if json_output:
        typer.echo(dump_reference(document).decode(), nl=False)
    else:
        reference_report.show(document, layout.console(sys.stdout))
    return ExitStatus.HOLDS


@reference.command("list")
def list_files(
    directory: Annotated[
        Path, typer.Argument(help="A folder of reference files (*.json).", exists=True, file_okay=False)
    ] = Path("reference"),
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """List the reference files of a folder. Signatures are not checked: `verify` does that.

    Exit status: 0 every file is well formed, 2 one is not, or there is none.
    """
    from teekit_verify.report import layout, reference_report

    listed = reference_report.list_directory(directory)
    if json_output:
        typer.echo(reference_report.render_list(listed).decode(), nl=False)
    else:
        reference_report.show_list(listed, layout.console(sys.stdout))
    return listed.status


reference.command("sign")(sign)
reference.command("verify")(verify)
