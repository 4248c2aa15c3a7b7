"""`teekit-verify explain`: why two artifacts differ."""

from __future__ import annotations

import io
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.shared import DebugOption, JsonOption, say
from teekit_verify.cli.pages import HtmlOption, write_page
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import write_named
from teekit_verify.core.outcome import ExitStatus

_WHAT = "A UKI, a disk (raw, .vhd, .vhdx, .qcow2, .tar.gz), an initrd, a package manifest, any other file, or a folder."


def explain(
    a: Annotated[Path, typer.Argument(metavar="A", help=_WHAT, show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="What to compare it with.", show_default=False)],
    diffoscope: Annotated[
        bool,
        typer.Option("--diffoscope/--no-diffoscope", help="Let diffoscope look at the files that differ in the end."),
    ] = True,
    html: HtmlOption = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, for an issue or a pull request.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Write the text, Markdown or JSON to a file instead.",
            show_default=False,
        ),
    ] = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Say why A and B differ, and what usually causes that.

    It goes down to the file in the initrd and the section of an ELF file.

    Exit status: 0 every byte is equal, 1 A and B differ, 2 one of them cannot be read, or nothing that differs in them can be.
    """
    from teekit_verify import api
    from teekit_verify.report import explain_markdown, explain_report, layout
    from teekit_verify.report.progress import StderrProgress

    if markdown and json_output:
        raise typer.BadParameter("--markdown and --json cannot be used together")
    progress = StderrProgress()
    try:
        with tempfile.TemporaryDirectory(prefix="teekit-explain-") as folder, progress.step("compare A and B"):
            found = api.explain(a, b, folder=Path(folder), with_diffoscope=diffoscope)
    except OSError as error:
        raise TeekitError(
            f"cannot compare the files: {error.strerror}", hint="Point TMPDIR to a folder with free space."
        ) from error
    status = ExitStatus.DOES_NOT_HOLD if found.differences else ExitStatus.HOLDS
    if not found.is_compared:
        status = ExitStatus.NO_VERDICT
    text = io.StringIO()
    if json_output:
        text.write(explain_report.render_explanation(found, status).decode())
    elif markdown:
        text.write(explain_markdown.as_markdown(found))
    else:
        explain_report.show_explanation(found, layout.console(sys.stdout) if output is None else layout.Console(text))
    if output is None:
        typer.echo(text.getvalue(), nl=False)
    else:
        write_named(output, text.getvalue().encode())
        say(f"wrote {output}")
    write_page(html, f"explain {a.name} {b.name}", status, partial(explain_report.show_explanation, found), of_two=True)
    return status
