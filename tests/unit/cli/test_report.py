"""`teekit-verify report` as a user runs it: a report.json that anybody may have written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders import reports
from teekit_verify.cli.app import main
from teekit_verify.record import json_report, read
from teekit_verify.report.html import page as html_report

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    path.write_bytes(json_report.render_rebuild(reports.REBUILDS["mismatch"]))
    return path


@pytest.mark.parametrize("named", ["file", "folder"])
def test_the_summary_is_shown_whatever_the_verdict(
    report: Path, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(report if named == "file" else report.parent)]) == 0
    assert "MISMATCH: A and B are identical, but do not match what was published" in capsys.readouterr().out
    assert sorted(path.name for path in report.parent.iterdir()) == ["report.json"]


def test_the_page_lies_beside_the_report_or_where_it_is_asked_for(
    report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(report), "--html"]) == 0
    assert main(["report", str(report), "--html", "-o", str(tmp_path / "other.html")]) == 0
    assert capsys.readouterr().err == f"wrote {tmp_path / 'report.html'}\nwrote {tmp_path / 'other.html'}\n"
    page = html_report.render(read.load_rebuild(report))
    assert (tmp_path / "report.html").read_bytes() == (tmp_path / "other.html").read_bytes() == page


def test_a_place_for_the_page_asks_for_the_page(report: Path, tmp_path: Path) -> None:
    assert main(["report", str(report), "-o", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_bytes() == html_report.render(read.load_rebuild(report))


def test_what_is_no_report_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    path.write_text("{}")
    assert main(["report", str(path), "--html"]) == 2
    assert f"error: {path}: is not a document of this tool" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()
    path.unlink()
    assert main(["report", str(tmp_path)]) == 2
    assert f"error: {tmp_path} has no report.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda data: data[: len(data) // 2], "is not JSON: "),
        (
            lambda data: data.replace(b"report/v2", b"report/v0"),
            "expected 'teekit-verify/report/v2', found 'teekit-verify/report/v0'",
        ),
        (lambda _: b"\x7fELF" + bytes(range(256)), "is not JSON: "),
        (lambda data: data + b" " * (8 << 20), "has more than 8 MiB"),
    ],
)
def test_what_is_broken_old_or_huge_is_an_error_in_one_line(
    report: Path, spoil: Callable[[bytes], bytes], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report.write_bytes(spoil(report.read_bytes()))
    assert main(["report", str(report), "--html"]) == 2
    (line, *_) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {report}: ")
    assert problem in line
    assert not report.with_name("report.html").exists()
