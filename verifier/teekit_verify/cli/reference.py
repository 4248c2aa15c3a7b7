"""`teekit-verify reference`: make reference values, look at them, sign them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.google_root import GoogleRootOption, google_root_at
from teekit_verify.cli.options import DebugOption, JsonOption
from teekit_verify.cli.sign import sign, verify
from teekit_verify.core.errors import printable
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
    measurements: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Also these registers of the same image, for other platforms or machine types: of `measure --output FILE`. "
            "May be repeated.",
        ),
    ] = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Write a reference file from a rebuild's report: its inputs, artifacts and predicted registers."""
    from teekit_verify.core.files import write_whole
    from teekit_verify.reference.create import create_reference, dump_reference, require_measured_from
    from teekit_verify.reference.load import load_measurements
    from teekit_verify.report.directory import load_reproduced

    build, measured = load_reproduced(report)
    more = [load_measurements(path) for path in measurements or ()]
    require_measured_from(build, more)
    document = create_reference(release=release, commit=commit, build=build, measurements=[measured, *more])
    write_whole(output, dump_reference(document))
    typer.echo(f"wrote {output}", err=True)
    return ExitStatus.HOLDS


@reference.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="A reference file of this project.")],
    measurements: Annotated[Path, typer.Argument(help="A measurements.json of an artifact that the file lists.")],
    label: Annotated[str, typer.Option(help="What tells these values from the others: 'firmware of 2026-06', say.")],
    output: Annotated[Path, typer.Option(help="The file to write; it has to be signed again.")],
    debug: DebugOption = False,
) -> ExitStatus:
    """Accept more values: the same artifact on machines with another firmware, or on more machines.

    What belongs together stays together: a machine must match all the old values or all the new ones.
    """
    from teekit_verify.core.files import write_whole
    from teekit_verify.reference.create import dump_reference
    from teekit_verify.reference.extend import add_values
    from teekit_verify.reference.load import load_measurements, load_reference

    document = add_values(load_reference(file), load_measurements(measurements), label)
    write_whole(output, dump_reference(document))
    typer.echo(f"wrote {output}", err=True)
    return ExitStatus.HOLDS


FileArgument = Annotated[Path, typer.Argument(help="A file of reference values, of any known format.")]


@reference.command("check")
def check(file: FileArgument, google_root: GoogleRootOption = None, debug: DebugOption = False) -> ExitStatus:
    """Check that a file of reference values is well formed: its format, every field known, every event log leading to its
    value; of a launch endorsement also Google's signature.
    """
    from teekit_verify.reference.formats import load_published
    from teekit_verify.report.published_report import summary

    published = load_published(file, google_root_at(google_root))
    typer.echo(f"{printable(summary(published))}, well formed: {published.format}")
    return ExitStatus.HOLDS


@reference.command("show")
def show(
    file: FileArgument,
    google_root: GoogleRootOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show what a file of reference values says: its release, artifacts, registers and policies."""
    from teekit_verify.reference import formats, load
    from teekit_verify.reference.create import dump_reference
    from teekit_verify.report import layout, published_report, reference_report

    published = formats.load_published(file, google_root_at(google_root))
    out = layout.console(sys.stdout)
    if published.format == formats.native.FORMAT.name:
        document = load.load_reference(file)
        if json_output:
            typer.echo(dump_reference(document).decode(), nl=False)
        else:
            reference_report.show(document, out)
    elif json_output:
        typer.echo(published_report.render_published(published).decode(), nl=False)
    else:
        published_report.show_published(published, out)
    return ExitStatus.HOLDS


@reference.command("list")
def list_files(
    directory: Annotated[
        Path, typer.Argument(help="A folder of reference files.", exists=True, file_okay=False)
    ] = Path("reference"),
    google_root: GoogleRootOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """List the reference files of a folder. Signatures are not checked: `verify` does that.

    Exit status: 0 every file is well formed, 2 one is not, or there is none.
    """
    from teekit_verify.report import layout, reference_report

    listed = reference_report.list_directory(directory, google_root_at(google_root))
    if json_output:
        typer.echo(reference_report.render_list(listed).decode(), nl=False)
    else:
        reference_report.show_list(listed, layout.console(sys.stdout))
    return listed.status


reference.command("sign")(sign)
reference.command("verify")(verify)
