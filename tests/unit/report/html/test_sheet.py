"""Pages of what a command shows: the same lines and tables, and nothing that a stranger wrote is more than text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import eventlog as build
from teekit_verify.cli.app import main
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.report.html.sheet import Question, render_sheet
from teekit_verify.report.layout import show_line, show_lines, show_outcome, show_table, styled

if TYPE_CHECKING:
    from teekit_verify.report.console import Console

HOSTILE = "\"'><script>alert(1)</script>\x1b[31m\u202e{{ 7 * 7 }}"


def show(out: Console) -> None:
    show_line(out, styled(HOSTILE, "bold red"))
    show_line(out, "indented", indent=2)
    out.print()
    show_table(out, ("", "what"), [(styled("1"), styled(HOSTILE, "green"))])


class Tags(HTMLParser):
    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(data.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_foreign_text_is_only_text() -> None:
    page = Tags(render_sheet(HOSTILE, ExitStatus.HOLDS, show))
    assert not {"script", "img"} & set(page.tags)
    assert page.text.count(r"<script>alert(1)</script>\x1b[31m\u202e{{ 7 * 7 }}") == 4
    assert page.tags.count("table") == 1
    assert page.tags.count("th") == 1  # a heading without a word is none


def test_bytes_stand_below_each_other() -> None:
    """As on a terminal: of one width each, with the spaces that keep columns apart."""
    page = render_sheet(
        "x", ExitStatus.HOLDS, lambda out: show_line(out, styled("-00: aa  bb   .", "mono red"), indent=6)
    )
    assert '<span class="state mono bad">-00: aa  bb   .</span>' in page.decode()
    assert re.search(r"\.lines \.mono \{[^}]*var\(--mono\)[^}]*white-space: pre-wrap", page.decode())


def test_what_is_left_out_is_said_to_be_where_every_command_has_it() -> None:
    """`compare`, `replay` and `boot` write no report.json."""
    page = Tags(render_sheet("x", ExitStatus.HOLDS, lambda out: show_lines(map(str, range(20)), out)))
    assert "and 8 more, in --json" in page.text
    assert "report.json" not in page.text


def test_what_was_not_checked_stands_beside_the_headline() -> None:
    def show_open(out: Console) -> None:
        show(out)
        out.not_checked(styled("not checked: revocation: no list was given", "yellow"))

    words = " ".join(Tags(render_sheet("x", ExitStatus.NO_VERDICT, show_open)).text.split())
    assert words.index("not checked: revocation: no list was given") < words.index("What was found")
    assert words.count("not checked: revocation") == 1


def test_the_page_of_a_quote_begins_with_what_was_not_checked(tmp_path: Path) -> None:
    """Without collateral and without anything asked of REPORTDATA: revocation of two certificates, the TCB, REPORTDATA."""
    quote = Path(__file__).parents[3] / "assets/eventlogs/gcp-cos113-quote.bin"
    assert main(["quote", str(quote), "--html", str(tmp_path / "page.html")]) == ExitStatus.NO_VERDICT
    head, _, rest = (tmp_path / "page.html").read_text(encoding="utf-8").partition("What was found")
    found = re.findall(r"not checked: ([^:]+):", head)
    assert len(found) == 4
    assert {"PCK certificate is not revoked", "PCK CA is not revoked"} <= set(found)
    assert "not checked: " not in rest


@pytest.mark.parametrize(
    ("question", "status", "words"),
    [
        (Question.CLAIM, ExitStatus.HOLDS, "Yes:"),
        (Question.CLAIM, ExitStatus.DOES_NOT_HOLD, "No:"),
        (Question.CLAIM, ExitStatus.NO_VERDICT, "No verdict:"),
        (Question.PAIR, ExitStatus.HOLDS, "The two are equal"),
        (Question.PAIR, ExitStatus.DOES_NOT_HOLD, "The two differ"),
        (Question.PAIR, ExitStatus.NO_VERDICT, "No verdict:"),
    ],
)
def test_the_exit_status_is_the_headline(question: Question, status: ExitStatus, words: str) -> None:
    page = render_sheet("x", status, show, question).decode()
    assert re.search(rf"EXIT STATUS {int(status)}</p>\s*<h1>{words}", page)


def test_the_line_of_the_outcome_stands_beside_the_headline() -> None:
    def show_match(out: Console) -> None:
        show(out)
        show_outcome(out, ExitStatus.HOLDS, "MATCH: as published")

    words = " ".join(Tags(render_sheet("x", ExitStatus.HOLDS, show_match)).text.split())
    assert "Yes: the claim holds. MATCH: as published What was found" in words
    assert words.count("MATCH: as published") == 1


def test_the_page_of_a_quote_has_all_that_the_terminal_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "quote.html"
    quote = str(build.ASSETS.parent / "quotes/gcp-c3-standard-4.bin")
    status = main(["quote", quote, "--html", str(page)])
    shown = capsys.readouterr().out
    text = " ".join(Tags(page.read_bytes()).text.split())
    assert f"EXIT STATUS {int(status)}" in text
    words = [line.split()[0] for line in shown.splitlines() if line.strip()]
    assert [word for word in words if word not in text] == []


def test_the_page_of_a_comparison(tmp_path: Path) -> None:
    one, other = tmp_path / "a", tmp_path / "b"
    one.write_bytes(b"one")
    other.write_bytes(b"two")
    page = tmp_path / "page.html"
    assert main(["explain", str(one), str(other), "--no-diffoscope", "--html", str(page)]) == ExitStatus.DOES_NOT_HOLD
    assert "DIFFERENT: A and B differ in 1 place" in page.read_text(encoding="utf-8")


def test_lines_stand_below_what_they_belong_to() -> None:
    """By the indent that the terminal has; on paper, the name of what is shown is on every page."""

    def nested(out: Console) -> None:
        for indent, line in enumerate(("file", "section", "field", "byte")):
            out.line(styled(line), 2 * indent)

    page = render_sheet('explain a"b\\.efi <c>', ExitStatus.DOES_NOT_HOLD, nested).decode()
    assert re.findall(r"<p(.*?)>(\w+)</p>", page.partition('<div class="lines">')[2]) == [
        ("", "file"),
        (' class="soft in1"', "section"),
        (' class="soft in2"', "field"),
        (' class="soft in3"', "byte"),
    ]
    assert '@top-left { content: "teekit-verify: exit status 1"' in page
    assert '@top-right { content: "explain ab.efi c"' in page
