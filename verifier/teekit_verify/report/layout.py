"""The layout every result for people shares: tables that fit a screen, foreign text escaped, colours only on a terminal."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from teekit_verify.core.errors import printable
from teekit_verify.core.outcome import ExitStatus, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

_WIDE = 100_000
_SHORT = 16
_MAX_LINES = 12
STYLES = {
    Outcome.MATCH: "green",
    Outcome.MISMATCH: "bold red",
    Outcome.OPEN: "yellow",
    Outcome.IGNORED: "yellow",
    Outcome.NOT_CHECKED: "yellow",
    Outcome.ERROR: "bold red",
}
STATUS_STYLES = {
    ExitStatus.HOLDS: "bold green",
    ExitStatus.DOES_NOT_HOLD: "bold red",
    ExitStatus.NO_VERDICT: "bold yellow",
}


def console(stream: TextIO) -> Console:
    """A console for `stream`, in plain text when it is not a terminal. Lines have any length: the terminal breaks them."""
    return Console(
        file=stream,
        force_terminal=stream.isatty(),
        width=_WIDE,
        highlight=False,
        markup=False,
        emoji=False,
    )


def styled(text: object, style: str = "") -> Text:
    return Text(printable(str(text)), style)


def show_line(out: Console, *parts: Text | str, indent: int = 0) -> None:
    out.print(Text(" " * indent).append_text(Text.assemble(*parts)))


def show_table(out: Console, headings: Iterable[str], rows: Iterable[Iterable[Text]]) -> None:
    """Columns as wide as their content: nothing is cut, as digests are there to be copied."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(styled(heading), no_wrap=True)
    for row in rows:
        table.add_row(*row)
    out.print(table)


def shortened(text: str) -> str:
    """With the beginning of each digest in it only."""
    return re.sub(rf"\b([0-9a-f]{{{_SHORT}}})[0-9a-f]+\b", r"\1...", text)


def show_lines(lines: Iterable[str], out: Console) -> None:
    """Each on a line of its own, a run of equal beginnings cut short: the report has them all."""
    physical = [piece for line in lines for piece in line.splitlines()]
    unique = [line for line, _ in groupby(physical)]
    for line in unique[:_MAX_LINES]:
        show_line(out, styled(line), indent=2)
    if len(unique) > _MAX_LINES:
        show_line(out, f"and {len(unique) - _MAX_LINES} more: see report.json or --json", indent=2)
