"""Where results go: a terminal of some width, with or without colours, or a pipe, which has all in plain text."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
import rich.cells

from teekit_verify.report.console import Console, Text, cell_len, console, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

SHA384 = "0123456789abcdef" * 6


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def table(width: int | None, *rows: Sequence[str]) -> list[str]:
    out = io.StringIO()
    head, *body = [[Text(cell) for cell in row] for row in rows]
    Console(out, width=width).table(head, body)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("text", ["plain", "", "größer", "日本語", "e\u0301", "한국어", "a\u200bb", "ﬁ", "—"])
def test_columns_of_a_terminal(text: str) -> None:
    """Against rich's table of widths."""
    assert cell_len(text) == rich.cells.cell_len(text)


def test_a_pipe_has_everything_in_one_line() -> None:
    rows = table(None, ("register", "value"), ("RTMR1", SHA384))
    assert rows == ["register  value", f"RTMR1     {SHA384}"]


def test_a_digest_that_is_wider_than_the_terminal_is_whole_in_two_lines() -> None:
    rows = table(80, ("register", "bank", "value"), ("RTMR1", "sha384", SHA384), ("PCR4", "sha256", SHA384[:64]))
    assert max(map(len, rows)) <= 80
    assert rows[1].split() == ["RTMR1", "sha384", SHA384[:62]]
    assert rows[2].split() == [SHA384[62:]]
    assert rows[2].index(SHA384[62]) == rows[1].index("0")


def test_short_columns_stay_in_one_line_when_long_ones_are_broken() -> None:
    words = "what is measured here is told in many words"
    rows = table(40, ("", "what", "outcome"), ("1", words, "match"))
    assert [row.split()[-1] for row in rows[:2]] == ["outcome", "match"]
    assert " ".join(row.strip() for row in rows[2:]) in words
    assert max(map(len, rows)) <= 40


def test_lines_are_broken_between_words_and_go_on_indented() -> None:
    out = io.StringIO()
    Console(out, width=20).line(Text("one two three four five"), indent=2)
    assert out.getvalue() == "  one two three four\n    five\n"


def test_what_stands_beside_a_title_goes_on_below_itself() -> None:
    out = io.StringIO()
    Console(out, width=16).line(Text("title  some words more"), hanging=7)
    assert out.getvalue() == "title  some\n       words\n       more\n"


def test_breaking_loses_nothing_but_the_blanks_between() -> None:
    text = Text("ab ", "bold").append("日本語" * 9, "red").append(" c  d")
    for width in range(2, 30):
        lines = list(wrapped(text, width))
        assert "".join(line.plain for line in lines).replace(" ", "") == text.plain.replace(" ", "")
        assert all(line.cell_len <= width for line in lines)


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({}, "\x1b[1;31mno\x1b[0m\n"),
        ({"NO_COLOR": "1"}, "no\n"),
        ({"NO_COLOR": ""}, "\x1b[1;31mno\x1b[0m\n"),  # no-color.org: "when present and not an empty string"
        ({"TERM": "dumb"}, "no\n"),
    ],
)
def test_colours(environment: dict[str, str], shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out = Terminal()
    console(out).line(Text("no", "bold red"))
    assert out.getvalue() == shown
    piped = io.StringIO()
    console(piped).line(Text("no", "bold red"))
    assert piped.getvalue() == "no\n"


@pytest.mark.parametrize(("columns", "width"), [("100", 100), ("0", 80), ("x", 80), ("", 80), ("3", 20), ("99999", 80)])
def test_the_width_is_what_the_shell_says(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert console(Terminal()).width == width
    assert console(io.StringIO()).width is None


@pytest.mark.parametrize(
    ("word", "lines"),
    [
        ("tdx-debian-base-2026.11.30.2", ["tdx-debian-", "base-", "2026.11.30.2"]),
        ("/usr/share/keyrings/x", ["/usr/share/", "keyrings/x"]),
        ("fddb5c2ac122844e", ["fddb5c2ac1228", "44e"]),
        ("-150000000000000", ["-150000000000", "000"]),
    ],
)
def test_a_name_is_broken_after_its_parts_and_a_digest_where_the_line_ends(word: str, lines: list[str]) -> None:
    assert [line.plain for line in wrapped(Text(word), 13)] == lines
