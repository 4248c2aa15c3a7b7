"""Every module of `appraisal` that decides opens with its rules, and with what is deliberately not one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import teekit_verify.appraisal

ROOM = Path(teekit_verify.appraisal.__file__).parent
DECIDES_NOTHING = {
    "facts.py": "the form of a check",
    "reasons.py": "the form of a reason",
    "subjects.py": "the form of a subject",
    "replayed.py": "a log, replayed once",
    "rebuilt_inputs.py": "counts; `packages` decides",
    "guest/policy.py": "parses what is asked for",
    "guest/presented.py": "the form of what a guest presents",
    "statements/export.py": "writes other formats",
    "statements/outer.py": "writes what another program signs",
    "statements/shown.py": "reads a statement to show it",
    "statements/statement.py": "the form of a statement",
}
"""What the others of the room need, and why no rule is in it."""


def rules_of(source: str) -> tuple[bool, bool]:
    """Whether the docstring has rules, and non-rules."""
    text = ast.get_docstring(ast.parse(source)) or ""
    lines = text.splitlines()
    return any(line.startswith("Rules") for line in lines), "Non-rules: " in text


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"""X.\n\nRules. One.\nNon-rules: two.\n"""', (True, True)),
        ('"""X.\n\nRules: one.\n"""', (True, False)),
        ('"""The Rules of X."""', (False, False)),
        ("x = 1", (False, False)),
    ],
)
def test_what_a_module_opens_with(source: str, found: tuple[bool, bool]) -> None:
    assert rules_of(source) == found


def test_who_decides_says_by_which_rules() -> None:
    modules = {path.relative_to(ROOM).as_posix(): path for path in ROOM.rglob("*.py") if path.name != "__init__.py"}
    assert {name for name, path in modules.items() if rules_of(path.read_text()) != (True, True)} == set(
        DECIDES_NOTHING
    )
