"""The layout every result for people shares: tables that fit a screen, foreign text escaped, colours only on a terminal."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

from teekit_verify.core.errors import printable
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.report.console import Console, Text, console

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "STATUS_STYLES",
    "STYLES",
    "Console",
    "Text",
    "console",
    "fitting",
    "shortened",
    "show_line",
    "show_lines",
    "show_outcome",
    "show_table",
    "styled",
]
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


def styled(text: object, style: str = "") -> Text:
    return Text(printable(str(text)), style)


def show_line(out: Console, *parts: Text | str, indent: int = 0, hanging: int | None = None) -> None:
    out.line(Text.assemble(*parts), indent, hanging)


def show_outcome(out: Console, status: ExitStatus, words: str, *rest: Text) -> None:
    """What the result comes to, in one line: the only one with --quiet."""
    out.outcome(Text.assemble(styled(words, STATUS_STYLES[status]), *rest))


def show_table(out: Console, headings: Iterable[str], rows: Iterable[Iterable[Text]]) -> None:
    """Nothing is cut, as digests are there to be copied: a terminal that is too narrow has them in several lines."""
    out.table([styled(heading) for heading in headings], [list(row) for row in rows])


def shortened(text: str) -> str:
    """With the beginning of each digest in it only."""
    return re.sub(rf"\b([0-9a-f]{{{_SHORT}}})[0-9a-f]+\b", r"\1...", text)


def fitting(text: str, out: Console) -> str:
    """With shortened digests on a terminal; whole where a program may read it, or a page can break it."""
    return text if out.width is None else shortened(text)


def show_lines(lines: Iterable[str], out: Console) -> None:
    """Each on a line of its own, a run of equal beginnings cut short: --json has them all."""
    physical = [piece for line in lines for piece in line.splitlines()]
    unique = [line for line, _ in groupby(physical)]
    for line in unique[:_MAX_LINES]:
        show_line(out, styled(line), indent=2)
    if len(unique) > _MAX_LINES:
        show_line(out, f"and {len(unique) - _MAX_LINES} more, in --json", indent=2)
