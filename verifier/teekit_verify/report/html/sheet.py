"""What a command shows on the terminal, as a page: the same lines and tables, with headings, for a browser or paper."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.report.console import Console, Text
from teekit_verify.report.html.page import templates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ACCENTS = {ExitStatus.HOLDS: "good", ExitStatus.DOES_NOT_HOLD: "bad", ExitStatus.NO_VERDICT: "open"}
_HEADLINES = {
    ExitStatus.HOLDS: "Yes: the claim holds.",
    ExitStatus.DOES_NOT_HOLD: "No: the claim does not hold.",
    ExitStatus.NO_VERDICT: "No verdict: not everything could be checked.",
}
_COLOURS = {"green": "good", "red": "bad", "yellow": "open"}


@dataclass(frozen=True, slots=True)
class Table:
    headings: tuple[Text, ...]
    rows: tuple[tuple[Text, ...], ...]


class Sheet(Console):
    """Keeps what is shown. `blocks` are tables, and lists of (line, indent) that stand together."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.blocks: list[Table | list[tuple[Text, int]]] = []
        self._is_broken = True

    def print(self, text: str = "") -> None:
        if text:
            self.line(Text(text))
        self._is_broken = True

    def line(self, text: Text, indent: int = 0) -> None:
        if not self._is_broken and self.blocks and isinstance(last := self.blocks[-1], list):
            last.append((text, indent))
        else:
            self.blocks.append([(text, indent)])
        self._is_broken = False

    def outcome(self, text: Text) -> None:
        self.line(text)

    def table(self, headings: Sequence[Text], rows: Sequence[Sequence[Text]]) -> None:
        self.blocks.append(Table(tuple(headings), tuple(map(tuple, rows))))


def render_sheet(title: str, status: ExitStatus, show: Callable[[Console], None]) -> bytes:
    """A page that needs nothing else; all text is foreign and is escaped. The same result gives the same bytes."""
    sheet = Sheet()
    show(sheet)
    page = templates().get_template("sheet.html.j2")
    return page.render(
        title=title,
        accent=_ACCENTS[status],
        headline=_HEADLINES[status],
        status=int(status),
        blocks=sheet.blocks,
        is_table=lambda block: isinstance(block, Table),
        is_digest=lambda cell: re.fullmatch("[0-9a-f]{32,}", cell.plain) is not None,
        class_of=_class_of,
    ).encode()


def _class_of(style: str) -> str:
    words = style.split()
    return " ".join(["state", *(_COLOURS[word] for word in words if word in _COLOURS)]) if words else ""
