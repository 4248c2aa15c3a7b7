"""What is shown on a terminal of 80 columns fits it, and is whole where a program reads it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from builders.terminals import ESCAPE, on_terminal

ROOT = Path(__file__).parents[3]
ASSETS = ROOT / "tests/assets"
QUOTE, LOG = str(ASSETS / "eventlogs/gcp-cos113-quote.bin"), str(ASSETS / "eventlogs/gcp-cos113-ccel-data.bin")
REFERENCE = str(ROOT / "reference/base+debian-kernel.json")
GUEST = ("compare", REFERENCE, "--quote", QUOTE, "--eventlog", LOG, "--events")


@pytest.mark.parametrize(
    "argv",
    [
        GUEST,
        ("replay", LOG, "--events"),
        ("reference", "show", REFERENCE),
        ("inspect", str(ASSETS / "formats/GCE-cc-tcb-root_1.pem")),
        ("reference", "show", str(ASSETS / "formats/README.md")),
    ],
    ids=lambda argv: " ".join(argv[:2]),
)
def test_no_line_is_wider(argv: tuple[str, ...]) -> None:
    shown = on_terminal(*argv)
    assert shown.lines
    assert [line for line in shown.lines if len(line) > 80] == []


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
def test_no_escape_sequence_where_none_is_wanted(environment: dict[str, str]) -> None:
    argv = ("explain", QUOTE, LOG, "--no-diffoscope")  # with progress
    assert ESCAPE.search(on_terminal(*argv).text)
    assert "\x1b" not in on_terminal(*argv, environment=environment).text


def test_digests_are_whole_where_a_program_reads_them() -> None:
    command = [sys.executable, "-m", "teekit_verify", *GUEST]
    piped = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    assert not re.search(r"[0-9a-f]{16}\.\.\.", piped)
    assert "f62dbc072bd5d3f3438b7b35c39a727f5aea2ffc2473f43723953f530daf62504f0a7944aa62c41a86e8a878c2b122c1" in piped
