r"""Foreign text has the digits of ASCII, or none: in text, `\d` and `isdigit` take those of every script, and `int` reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).parents[2] / "verifier").rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_pattern_of_text_takes_other_digits(path: Path) -> None:
    for line in path.read_text().splitlines():
        if re.search(r'\brb?"|\bre\.', line) and r"\d" in line:
            assert 'rb"' in line or "b'" in line, line
        if ".isdigit()" in line or ".isnumeric()" in line:
            assert "isascii()" in line or "banner[:1]" in line, line  # the banner is bytes
