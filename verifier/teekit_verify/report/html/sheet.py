"""What a command shows on the terminal, as a page: the same lines and tables, with headings, for a browser or paper."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.report.console import Console, Text
from teekit_verify.report.html.page import templates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Question(Enum):
    """What a page answers."""

    CLAIM = auto()
    PAIR = auto()
    """Whether two are equal. Nobody claims it of two releases: that they differ is no alarm."""


_ANSWERS = {
    (Question.CLAIM, ExitStatus.HOLDS): ("good", "Yes: the claim holds."),
    (Question.CLAIM, ExitStatus.DOES_NOT_HOLD): ("bad", "No: the claim does not hold."),
    (Question.CLAIM, ExitStatus.NO_VERDICT): ("open", "No verdict: not everything could be checked."),
    (Question.PAIR, ExitStatus.HOLDS): ("good", "The two are equal."),
    (Question.PAIR, ExitStatus.DOES_NOT_HOLD): ("open", "The two differ."),
    (Question.PAIR, ExitStatus.NO_VERDICT): ("open", "No verdict: not everything could be compared."),
}
_CLASSES = {"green": "good", "red": "bad", "yellow": "open", "mono": "mono"}


@dataclass(frozen=True, slots=True)
class Table:
    headings: tuple[Text, ...]
    rows: tuple[tuple[Text, ...], ...]


class Sheet(Console):
    """Keeps what is shown. `blocks` are tables, and lists of (line, indent) that stand together; `outcomes` and `unchecked` stand above them."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.blocks: list[Table | list[tuple[Text, int]]] = []
        self.outcomes: list[Text] = []
        self.unchecked: list[Text] = []
        self._is_broken = True

    def print(self, text: str = "") -> None:
        if text:
            self.line(Text(text))
        self._is_broken = True

    def line(self, text: Text, indent: int = 0, hanging: int | None = None) -> None:  # noqa: ARG002 - pages break lines
        if not self._is_broken and self.blocks and isinstance(last := self.blocks[-1], list):
            last.append((text, indent))
        else:
            self.blocks.append([(text, indent)])
        self._is_broken = False

    def outcome(self, text: Text) -> None:
        self.outcomes.append(text)

    def not_checked(self, text: Text) -> None:
        self.unchecked.append(text)

    def table(self, headings: Sequence[Text], rows: Sequence[Sequence[Text]]) -> None:
        self.blocks.append(Table(tuple(headings), tuple(map(tuple, rows))))


def render_sheet(
    title: str, status: ExitStatus, show: Callable[[Console], None], question: Question = Question.CLAIM
) -> bytes:
    """A page that needs nothing else; all text is foreign and is escaped. The same result gives the same bytes."""
    sheet = Sheet()
    show(sheet)
    accent, headline = _ANSWERS[question, status]
    page = templates().get_template("sheet.html.j2")
    return page.render(
        title=title,
        running_head=re.sub("[^A-Za-z0-9._+ -]", "", title)[:120],  # it is part of a style sheet
        accent=accent,
        headline=headline,
        status=int(status),
        outcomes=sheet.outcomes,
        unchecked=sheet.unchecked,
        blocks=sheet.blocks,
        is_table=lambda block: isinstance(block, Table),
        is_digest=lambda cell: re.fullmatch("[0-9a-f]{32,}", cell.plain) is not None,
        class_of=_class_of,
    ).encode()


def _class_of(style: str) -> str:
    words = style.split()
    return " ".join(["state", *(_CLASSES[word] for word in words if word in _CLASSES)]) if words else ""
