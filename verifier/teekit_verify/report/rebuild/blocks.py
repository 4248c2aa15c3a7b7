"""A summary that fits one screen: long lines end in "...", long lists in a count, and what matters least gives way first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.errors import printable
from teekit_verify.report.console import Text, cell_len

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROWS = 24
COLUMNS = 160
_GAP = "..."


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together, those that matter most first. The first `weighty` ones speak against a better verdict.

    `what` names them where they are counted ("platforms"), and `flaw` what the weighty ones are. A block gets at least
    `least` rows, if it has so many lines, and at most `most`. Of a log the first line and the last ones say most.
    """

    lines: Sequence[Text]
    what: str = "lines"
    flaw: str = ""
    weighty: int = 0
    least: int = 1
    most: int = ROWS
    is_log: bool = False

    @property
    def weighty_rows(self) -> int:
        """To show all that is weighty, and count the rest."""
        return self.weighty + (self.weighty < len(self.lines)) if self.weighty else 0

    def shown(self, rows: int) -> list[Text]:
        """In so many rows: what is left out is counted in one of them."""
        if rows >= len(self.lines) or not rows:
            return list(self.lines[:rows])
        first, last = (1, rows - 2) if self.is_log and rows > 2 else (rows - 1, 0)  # noqa: PLR2004 - two rows have no end
        count = self._count(len(self.lines) - first - last, first)
        return [*self.lines[:first], Text(count, "yellow"), *self.lines[len(self.lines) - last :]]

    def _count(self, left_out: int, first: int) -> str:
        count = f"and {left_out} more {self.what}" if first else f"{left_out} {self.what}"
        weighty = max(0, self.weighty - first)
        flaws = f", {weighty} of them {self.flaw}" if self.flaw and weighty else ""
        return f"{count}{flaws}: see the report"


def allotted(blocks: Mapping[str, Block], rows: int) -> dict[str, int]:
    """How many rows each block gets. Those first in order are served first: their weighty lines, then all others."""
    given = {title: min(block.least, len(block.lines)) for title, block in blocks.items()}
    for only_weighty in (True, False):
        for title, block in blocks.items():
            wanted = min(block.weighty_rows if only_weighty else len(block.lines), block.most)
            given[title] += max(0, min(wanted - given[title], rows - sum(given.values())))
    return given


def clipped(text: Text, columns: int) -> Text:
    """Its beginning, if it is wider than that."""
    if _head(text.plain, columns) == text.plain:
        return text
    return text[: len(_head(text.plain, columns - len(_GAP)))].append(_GAP)


def brief(name: str, columns: int) -> str:
    """A foreign name or path, made safe: its beginning and its end, if it is wider than that."""
    text = printable(name)
    if _head(text, columns) == text:
        return text
    half = (columns - len(_GAP)) // 2
    return f"{_head(text, columns - len(_GAP) - half)}{_GAP}{_head(text[::-1], half)[::-1]}"


def listed(names: Sequence[str], columns: int, what: str) -> str:
    """`a, b and 3 more` in so many columns; `5 platforms`, if it has room for none."""
    if len(names) == 1:
        return brief(names[0], columns)
    whole = ", ".join(map(printable, names))
    if _head(whole, columns) == whole:
        return whole
    more = f" and {len(names)} more"
    kept: list[str] = []
    for name in map(printable, names):
        if _columns(", ".join([*kept, name])) > columns - len(more):
            break
        kept.append(name)
    return f"{', '.join(kept)} and {len(names) - len(kept)} more" if kept else f"{len(names)} {what}"


def _columns(text: str) -> int:
    """Two for what is twice as wide, and one even for what stands above another character: thousands of them are a trick."""
    return sum(max(1, cell_len(character)) for character in text)


def _head(text: str, columns: int) -> str:
    for position, character in enumerate(text):
        columns -= max(1, cell_len(character))
        if columns < 0:
            return text[:position]
    return text
