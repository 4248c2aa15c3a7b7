"""No decision and no rendering reads a sentence of ours: code that asks an error or a difference what it says is found by its syntax."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import teekit_verify

PACKAGE = Path(teekit_verify.__file__).parent
SENTENCES = {"message", "summary", "hint", "detail", "what", "problem", "uki_problem", "why"}
"""Attributes that hold words for people."""
NAMED = {"check", "cause", "step", "finding", "difference", "leaf", "reason"}
LABELS = {"change", "label", "heading", "title", "told"}
"""What has a name, or is one, that is only shown: a decision looks at a type, an enum's member, or a constant with the name."""
READING = {"startswith", "endswith", "partition", "rpartition", "split", "rsplit", "removeprefix", "removesuffix"} | {
    *("find", "index", "count", "replace", "splitlines")
}
PATTERNS = {"match", "fullmatch", "search", "split", "findall", "finditer", "sub"}
ALLOWED = {
    # The first line of a text, whatever it says, for where one line is shown.
    ("core/errors.py", "self.message.split"),
    ("report/alarm_report.py", "alarm.message.split"),
}


def _last(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_sentence(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in SENTENCES


def _is_shown(node: ast.AST) -> bool:
    """A sentence, a label, or the name of something that has one for people."""
    if isinstance(node, ast.Name):
        return node.id in LABELS
    is_name = isinstance(node, ast.Attribute) and node.attr == "name" and _last(node.value) in NAMED
    return is_name or _is_sentence(node)


def _is_words(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != ""


def readings(source: str) -> list[str]:
    """The expressions that look into a sentence: a method of str on it, a comparison with words, a pattern."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_method = node.func.attr in READING and _is_shown(node.func.value)
            is_pattern = node.func.attr in PATTERNS and any(map(_is_sentence, node.args))
            if is_method or is_pattern:
                found.append(ast.unparse(node.func))
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(_is_shown, sides)) and any(map(_is_words, sides)):
                found.append(ast.unparse(node))
        if isinstance(node, ast.Subscript) and _is_sentence(node.value):
            found.append(ast.unparse(node.value))
        if isinstance(node, ast.Match) and _is_sentence(node.subject):
            found.append(ast.unparse(node.subject))
    return found


@pytest.mark.parametrize(
    "source",
    [
        "if error.message.startswith('no such'): pass",
        "x = 'dumb http' in error.message",
        "x = check.detail == 'equal'",
        "x = re.split('[:;] ', error.message)[0]",
        "x = PATTERN.search(difference.what)",
        "match error.hint:\n    case 'Run it again.': pass",
        "x = error.message.splitlines()[0]",
        "x = row.cause.name == 'user name'",
        "x = [step for step in steps if step.name.startswith('build ')]",
        "x = [change for change in changes if not change.startswith('added ')]",
        "x = 'time' in label",
    ],
)
def test_a_reading_is_seen(source: str) -> None:
    assert readings(source)


@pytest.mark.parametrize(
    "source", ["if error.message: pass", "x = f'{a}: {error.message}'", "x = a.message == b.message"]
)
def test_saying_it_again_is_none(source: str) -> None:
    assert not readings(source)


def test_no_sentence_is_read() -> None:
    found = {
        (path.relative_to(PACKAGE).as_posix(), reading)
        for path in PACKAGE.rglob("*.py")
        for reading in readings(path.read_text())
    }
    assert found == ALLOWED
