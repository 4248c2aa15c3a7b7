"""`--html FILE`: what a command shows, also as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teekit_verify.cli.options.shared import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from teekit_verify.core.outcome import ExitStatus
    from teekit_verify.report.console import Console

HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Also write the result as a page for a browser.", show_default=False),
]


def write_page(
    path: Path | None, title: str, status: ExitStatus, show: Callable[[Console], None], *, of_two: bool = False
) -> None:
    """Nothing without a path. `show` is what shows the result on a terminal; `of_two` tells whether two are equal."""
    if path is None:
        return
    from teekit_verify.core.files import write_named
    from teekit_verify.report.html.sheet import Question, render_sheet

    write_named(path, render_sheet(title, status, show, Question.PAIR if of_two else Question.CLAIM))
    say(f"wrote {path}")
