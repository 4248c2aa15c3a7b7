"""`teekit-verify report`: a report.json for people, on the terminal or as a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.shared import DebugOption, say
from teekit_verify.cli.wrong_file import Given, expecting
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus


def report(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A report.json, or the report folder of a rebuild.", exists=True, allow_dash=True
        ),
    ],
    html: Annotated[bool, typer.Option("--html", help="Write a page that needs nothing else to be read.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Where to write the page. [default: report.html beside FILE]"),
    ] = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show the report of a rebuild, or make a page of it.

    Shown is a summary; with --html, the page has the whole of it.

    The report is shown, not checked: exit status 0 says that it is a report, whatever its verdict.
    """
    from teekit_verify import api
    from teekit_verify.core.files import write_named, write_whole
    from teekit_verify.report import layout
    from teekit_verify.report.html import page as html_report
    from teekit_verify.report.rebuild import screen

    path = file / "report.json" if file.is_dir() else file
    if file.is_dir() and not path.exists():
        raise TeekitError(f"{file} has no report.json", hint="Name the report folder of a rebuild.")
    with expecting(path, Given.DOCUMENT, Given.CUT_OFF):
        shown = api.load_report(path)
    if not html and output is None:
        screen.show(shown, layout.console(sys.stdout))
        return ExitStatus.HOLDS
    page = output or path.with_name("report.html")
    write = write_whole if output is None else write_named
    write(page, html_report.render(shown))
    say(f"wrote {page}")
    return ExitStatus.HOLDS
