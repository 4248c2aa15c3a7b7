"""Why two artifacts differ, for people and as JSON: the most telling differences first, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.explanation.tree import culprits
from teekit_verify.record.json_report import render
from teekit_verify.report.layout import show_line, styled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.text import Text

    from teekit_verify.core.outcome import ExitStatus
    from teekit_verify.explanation.tree import Explanation, Leaf

EXPLANATION_SCHEMA = "teekit-verify/explanation/v1"
_SCREEN_LINES = 17
_MAX_LINE = 116
_MAX_EXCERPT = 2
_MAX_NOTICES = 4
_SIGNS = {"-": "red", "+": "green"}


def render_explanation(explanation: Explanation, status: ExitStatus) -> bytes:
    """What `explain --json` prints."""
    return render({"schema": EXPLANATION_SCHEMA, "exit_status": int(status)}, explanation)


def show_explanation(explanation: Explanation, out: Console, *, more: str = "--json") -> None:
    """The culprits in full as far as the screen goes, then their names; `more` is where all of them are."""
    if not explanation.differences:
        show_line(out, styled("IDENTICAL: every byte of A and B is equal", "bold green"))
        return
    found = culprits(explanation.differences)
    places = "1 place" if len(found) == 1 else f"{len(found)} places, the most telling first"
    show_line(out, styled(f"DIFFERENT: A and B differ in {places}", "bold red"))
    left, told = _SCREEN_LINES, 0
    for leaf in found:
        lines = list(_lines(leaf))[: left if told else None]
        if left <= 0:
            break
        for line, indent in lines:
            show_line(out, line, indent=indent)
        left, told = left - len(lines), told + 1
    if told < len(found):
        show_line(out, f"... and {len(found) - told} more, in {more}", indent=2)
    for notice in explanation.notices[:_MAX_NOTICES]:
        show_line(out, styled(f"note: {_cut(notice)}", "yellow"))
    if len(explanation.notices) > _MAX_NOTICES:
        show_line(out, styled(f"note: {len(explanation.notices) - _MAX_NOTICES} more notes, in {more}", "yellow"))


def _lines(leaf: Leaf) -> Iterator[tuple[Text, int]]:
    """Where it is, what differs, what usually causes it, and the beginning of the difference; each with its indent."""
    difference = leaf.difference
    yield styled(_cut(" > ".join(leaf.path[1:] or leaf.path)), "bold"), 2
    yield styled(_cut(difference.what)), 6
    for cause in difference.causes:
        advice = f" {cause.advice}" if cause.advice else ""
        yield styled(f"usually {cause.name}: {cause.usually}.{advice}", "yellow"), 6
    if difference.a or difference.b:
        yield styled(_cut(f"A {difference.a or 'nothing'}")), 6
        yield styled(_cut(f"B {difference.b or 'nothing'}")), 6
    for line in difference.excerpt[:_MAX_EXCERPT]:
        yield styled(_cut(line), _SIGNS.get(line[:1], "")), 6


def _cut(line: str) -> str:
    return line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE - 3]}..."
