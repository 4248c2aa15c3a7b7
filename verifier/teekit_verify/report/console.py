"""Text with styles, and where it goes: a terminal (colours, tables that fit its width), or a pipe or file (plain and whole).

Environment variables: NO_COLOR (no-color.org: any value but none at all, no escape sequences), TERM=dumb, COLUMNS.
"""

from __future__ import annotations

import os
import unicodedata
from contextvars import ContextVar
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_GAP = 2
_FEWEST_COLUMNS = 20
_NARROWEST = 8
_USUAL_COLUMNS = 80
OUTCOME_ONLY: ContextVar[bool] = ContextVar("outcome_only", default=False)
"""What `--quiet` asks for: of a result the line of its outcome, and nothing of progress."""
_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "mono": "0"}


def cell_len(text: str) -> int:
    """How many columns of a terminal it takes: two for wide characters (Unicode Annex 11), none for combining ones."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Text:
    """Pieces of text, each with its style: `bold`, a colour, both, or nothing. `mono`, which comes first, is for pages: a terminal is."""

    __slots__ = ("pieces",)

    def __init__(self, text: str = "", style: str = "") -> None:
        self.pieces: list[tuple[str, str]] = [(text, style)] if text else []

    @classmethod
    def assemble(cls, *parts: str | Text | tuple[str, str]) -> Text:
        whole = cls()
        for part in parts:
            whole.append(*part) if isinstance(part, tuple) else whole.append(part)
        return whole

    def append(self, text: str | Text, style: str = "") -> Text:
        """Itself, longer."""
        self.pieces += text.pieces if isinstance(text, Text) else [(text, style)]
        return self

    @property
    def plain(self) -> str:
        return "".join(text for text, _ in self.pieces)

    @property
    def cell_len(self) -> int:
        return cell_len(self.plain)

    def __len__(self) -> int:
        return sum(len(text) for text, _ in self.pieces)

    def __str__(self) -> str:
        return self.plain

    def __repr__(self) -> str:
        return f"Text.assemble({', '.join(map(repr, self.pieces))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and self.pieces == other.pieces

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, part: slice) -> Text:
        start, stop, _ = part.indices(len(self))
        found, at = Text(), 0
        for text, style in self.pieces:
            inside = text[max(0, start - at) : max(0, stop - at)]
            if inside:
                found.append(inside, style)
            at += len(text)
        return found


class Console:
    """`width` is None where lines have any length, `colours` says whether styles are shown.

    `outcome_only`: nothing is shown but the outcome.
    """

    def __init__(
        self, stream: TextIO, *, width: int | None = None, colours: bool = False, outcome_only: bool = False
    ) -> None:
        self._stream, self.width, self._colours, self._outcome_only = stream, width, colours, outcome_only

    def print(self, text: str = "") -> None:
        self.line(Text(text))

    def line(self, text: Text, indent: int = 0, hanging: int | None = None) -> None:
        """On a terminal, broken between words; what goes on is indented more: by two columns, or to the column `hanging`."""
        if not self._outcome_only:
            self._lines(text, indent, hanging)

    def outcome(self, text: Text) -> None:
        """What the whole result comes to: one line, which is shown in any case."""
        self._lines(text, 0)

    def not_checked(self, text: Text) -> None:
        """What the result does not say: a line, which a page has beside its outcome."""
        self.line(text)

    def _lines(self, text: Text, indent: int, hanging: int | None = None) -> None:
        if self.width is None or indent + text.cell_len <= self.width:
            self._write(Text(" " * indent).append(text))
            return
        hanging = min(indent + 2 if hanging is None else hanging, self.width // 2)
        for number, piece in enumerate(wrapped(text, self.width - hanging, self.width - indent)):
            self._write(Text(" " * (hanging if number else indent)).append(piece))

    def table(self, headings: Sequence[Text], rows: Sequence[Sequence[Text]]) -> None:
        """Columns as wide as their content; on a terminal that is narrower, the widest ones are broken into lines.

        Without a word in its headings it has none.
        """
        if self._outcome_only:
            return
        widths = [max(cell.cell_len for cell in column) for column in zip(headings, *rows, strict=True)]
        widths = _fitting(widths, self.width)
        bold = [Text(heading.plain, "bold") for heading in headings]
        for row in (bold, *rows) if any(map(len, headings)) else rows:
            for line in _row_lines(row, widths):
                self._write(line)

    def _write(self, text: Text) -> None:
        self._stream.write("".join(self._escaped(text)).rstrip(" ") + "\n")

    def _escaped(self, text: Text) -> Iterator[str]:
        for piece, style in text.pieces:
            if self._colours and style and piece:
                yield f"\x1b[{';'.join(_CODES[word] for word in style.split())}m{piece}\x1b[0m"
            else:
                yield piece


def console(stream: TextIO) -> Console:
    """Of a stream: what it is decides."""
    outcome_only = OUTCOME_ONLY.get()
    if not stream.isatty():
        return Console(stream, outcome_only=outcome_only)
    width = max(_columns(stream), _FEWEST_COLUMNS)
    return Console(stream, width=width, colours=takes_escapes(stream), outcome_only=outcome_only)


def takes_escapes(stream: TextIO) -> bool:
    """Whether escape sequences may be written there: to a terminal that is not dumb, and whose user did not say no."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _columns(stream: TextIO) -> int:
    asked = os.environ.get("COLUMNS", "")
    if asked.isascii() and asked.isdecimal() and 0 < len(asked) <= 4 and int(asked):  # noqa: PLR2004 - no screen is wider
        return int(asked)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS
    except OSError:
        return _USUAL_COLUMNS


def _fitting(widths: Sequence[int], width: int | None) -> list[int]:
    """The widest give way first, all to the same width: what is short stays in one line."""
    if width is None:
        return list(widths)
    room = max(width - _GAP * (len(widths) - 1), _NARROWEST * len(widths))
    most = max(widths, default=0)
    while sum(min(one, most) for one in widths) > room and most > _NARROWEST:
        most -= 1
    return [min(one, most) for one in widths]


def _row_lines(row: Sequence[Text], widths: Sequence[int]) -> Iterator[Text]:
    cells = [list(wrapped(cell, width)) or [Text()] for cell, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, cells), default=0)):
        line = Text()
        for cell, width in zip(cells, widths, strict=True):
            piece = cell[number] if number < len(cell) else Text()
            line.append(piece).append(" " * (width - piece.cell_len + _GAP))
        yield line


def wrapped(text: Text, width: int, first: int | None = None) -> Iterator[Text]:
    """In lines of at most `width` columns (`first`: the first one), broken between words, or in a word longer than a line: after
    a hyphen or slash, where that leaves a third of the line or more.
    """
    plain, start = text.plain, 0
    while start < len(plain):
        stop = start + _head(plain[start:], width if start or first is None else first)
        if stop < len(plain) and plain[stop] != " ":
            blank = plain.rfind(" ", start, stop)
            stop = blank if blank > start else _within_word(plain, start, stop)
        yield text[start:stop]
        start = stop + (stop < len(plain) and plain[stop] == " ")


def _within_word(plain: str, start: int, stop: int) -> int:
    """Where to break a word that reaches beyond `stop`."""
    mark = max(plain.rfind(mark, start, stop) for mark in "-/") + 1
    return mark if mark - start > (stop - start) // 3 else stop


def _head(text: str, columns: int) -> int:
    """How many characters fit; at least one."""
    for position, character in enumerate(text):
        columns -= _cells(character)
        if columns < 0:
            return max(position, 1)
    return len(text)
