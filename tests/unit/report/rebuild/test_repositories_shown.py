"""A verdict never stands without the repositories that it trusts and the environment that it was reached in."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from builders import documents as sample
from builders import reports
from teekit_verify.rebuild.environments import Because, EnvironmentChosen, Wanted
from teekit_verify.record import json_report, read
from teekit_verify.report import layout
from teekit_verify.report.html import page
from teekit_verify.report.rebuild import screen
from teekit_verify.wording.environments import environment_words

REPORT = replace(reports.REBUILDS["reproduced"], repositories=(reports.REPOSITORY,), environment_chosen=reports.CHOSEN)
NOTE = (
    f"2 packages from https://packages.example.org/apt stable, whose key the project has, signed by {reports.KEY}: "
    "base-files (in place of Debian's), agent"
)


def test_the_verdicts_line_and_a_note_say_whom_it_trusts() -> None:
    stream = io.StringIO()
    screen.show(REPORT, layout.console(stream))
    text = " ".join(stream.getvalue().split())
    assert "REPRODUCED: " in text
    assert "; 2 packages not Debian's, from 1 repository that you allowed" in text
    assert NOTE[:60] in text
    assert "mkosi-27: mkosi.conf says MinimumVersion=26" in text


def test_the_page_has_all_of_it() -> None:
    html = page.render(REPORT).decode().replace("&#39;", "'")
    assert f"<b>But</b> {NOTE}." in html
    assert "agent 3.1-1, base-files 99 (in place of Debian's)" in html
    assert sample.sha256("InRelease").hex in html.replace("<wbr>", "")
    assert "mkosi-27: mkosi.conf says MinimumVersion=26" in html


@pytest.mark.parametrize("changes", [(), ("changed mkosi/base.conf",)])
def test_nobody_is_told_to_sign_what_attest_create_refuses(changes: tuple[str, ...]) -> None:
    """Packages of others, and files that are in no commit."""
    signable = reports.REBUILDS["reproduced"]
    report = replace(REPORT, repositories=()) if changes else REPORT
    if changes:
        assert report.origin is not None
        report = replace(report, origin=replace(report.origin, changes=changes))
    for one, told in ((signable, True), (report, False)):
        stream = io.StringIO()
        screen.show(one, layout.console(stream))
        assert ("attest create" in stream.getvalue()) is told
        assert ("attest create" in page.render(one).decode()) is told


def test_it_is_read_back() -> None:
    data = json_report.render_rebuild(REPORT)
    again = read.parse_rebuild(data, "report.json")
    assert (again.repositories, again.environment_chosen) == (REPORT.repositories, REPORT.environment_chosen)


@pytest.mark.parametrize(
    ("because", "wanted", "words"),
    [
        (Because.ASKED, None, "x: named with --environment"),
        (Because.ASKED, reports.CHOSEN.wanted, "x: named with --environment; mkosi.conf says MinimumVersion=26"),
        (Because.DEFAULT, None, "x: nothing asks for a newer mkosi"),
        (Because.OWN, None, "x: that of the images of this repository"),
    ],
)
def test_why_an_environment_was_taken(because: Because, wanted: Wanted | None, words: str) -> None:
    assert environment_words(EnvironmentChosen("x", because, wanted)) == words
