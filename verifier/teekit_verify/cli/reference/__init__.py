"""`teekit-verify reference`: files of reference values, and looking at them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.google_root import GoogleRootOption, google_root_at
from teekit_verify.cli.options.groups import GroupedCommand
from teekit_verify.cli.options.shared import DebugOption, JsonOption, say_warning
from teekit_verify.cli.reference.sign import sign, verify
from teekit_verify.cli.reference.write import add, create
from teekit_verify.cli.wrong_file import REFERENCES, expecting
from teekit_verify.core.errors import printable
from teekit_verify.core.outcome import ExitStatus

reference = typer.Typer(help="Published values: create, extend, check, show, sign, verify.", rich_markup_mode=None)


FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A file of reference values, of any known format.")]


def check(file: FileArgument, google_root: GoogleRootOption = None, debug: DebugOption = False) -> ExitStatus:
    """Check that a file of reference values is well formed.

    Its format is known, and every field; every event log leads to its value. Of a launch endorsement also Google's signature.
    It warns of registers that no guest can match.

    Exit status: 0 it is, 2 it is not.
    """
    from teekit_verify import api
    from teekit_verify.report.published_report import summary, warnings

    with expecting(file, *REFERENCES):
        published = api.load_reference_values(file, root=google_root_at(google_root)).published
    typer.echo(f"{printable(summary(published))}, well formed: {published.format}")
    for line in warnings(published):
        say_warning(line)
    return ExitStatus.HOLDS


def show(
    file: FileArgument,
    google_root: GoogleRootOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show the release, artifacts, registers and policies of a file."""
    from teekit_verify import api
    from teekit_verify.report import layout, published_report, reference_report

    with expecting(file, *REFERENCES):
        found = api.load_reference_values(file, root=google_root_at(google_root))
    if json_output:
        document = (
            published_report.render_published(found.published)
            if found.own is None
            else reference_report.render(found.own)
        )
        typer.echo(document.decode(), nl=False)
    elif found.own is None:
        published_report.show_published(found.published, layout.console(sys.stdout))
    else:
        reference_report.show(found.own, layout.console(sys.stdout))
    return ExitStatus.HOLDS


def list_files(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder of reference files.", exists=True, file_okay=False)
    ] = Path("reference"),
    google_root: GoogleRootOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """List the reference files of a folder, and of those below it.

    Signatures are not checked: `verify` does that.

    Exit status: 0 every file is well formed, 2 one is not, or there is none.
    """
    from teekit_verify.report import layout, reference_report

    listed = reference_report.list_directory(directory, google_root_at(google_root))
    if json_output:
        typer.echo(reference_report.render_list(listed).decode(), nl=False)
    else:
        reference_report.show_list(listed, layout.console(sys.stdout))
    return listed.status


reference.command("create", cls=GroupedCommand)(create)
reference.command("add", cls=GroupedCommand)(add)
reference.command("check", cls=GroupedCommand)(check)
reference.command("show", cls=GroupedCommand)(show)
reference.command("list", cls=GroupedCommand)(list_files)
reference.command("sign", cls=GroupedCommand)(sign)
reference.command("verify", cls=GroupedCommand)(verify)
