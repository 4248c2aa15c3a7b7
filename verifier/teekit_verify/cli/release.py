"""`teekit-verify release`: releases, and what changed from one to the next."""

from __future__ import annotations

from typing import Annotated

import typer

from teekit_verify.cli.diffing import show_diff
from teekit_verify.cli.options.google_root import GoogleRootOption, google_root_at
from teekit_verify.cli.options.shared import DebugOption, JsonOption, SourceOption
from teekit_verify.cli.pages import HtmlOption
from teekit_verify.core.outcome import ExitStatus

release = typer.Typer(help="Releases: what changed from one to the next, and why.", rich_markup_mode=None)
_WHAT = "A release's name or folder, or a file of reference values."


@release.callback()
def _group() -> None:
    """Without a callback, Typer makes a group with one command that command itself."""


@release.command("diff")
def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_WHAT, show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="What to compare it with.", show_default=False)],
    source: SourceOption = None,
    google_root: GoogleRootOption = None,
    html: HtmlOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show what changed from release A to B, and why registers moved.

    Inputs, commit, packages, files, artifacts, and every register with the events that moved. `compare A B` does the same.

    Exit status: 0 equal, 1 they differ, 2 they cannot be compared.
    """
    return show_diff(a, b, checkout=source, root=google_root_at(google_root), html=html, json_output=json_output)
