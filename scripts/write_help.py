"""Writes the help of commands into docs/commands.md, as a terminal of 80 columns shows it: python scripts/write_help.py

A test compares the page with what this would write.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/commands.md"
_BLOCK = re.compile(r"^```console\n\$ teekit-verify ([a-z -]*)--help\n.*?^```$", re.MULTILINE | re.DOTALL)


def written(page: str) -> str:
    """The page with the help of today in each of its blocks."""
    return _BLOCK.sub(lambda found: _block(found[1].split()), page)


def _block(words: list[str]) -> str:
    sys.path.insert(0, str(ROOT / "verifier"))
    from teekit_verify.cli.app import main  # noqa: PLC0415 - its path is set above

    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    try:
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            main([*words, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if columns is not None:
            os.environ["COLUMNS"] = columns
    lines = "\n".join(line.rstrip() for line in shown.getvalue().strip("\n").splitlines())
    return f"```console\n$ {' '.join(['teekit-verify', *words, '--help'])}\n{lines}\n```"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
