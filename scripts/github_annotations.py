#!/usr/bin/env python3
"""The findings of a SARIF log as annotations of a GitHub workflow: python3 scripts/github_annotations.py FILE

The first ten: a step shows no more (GitHub Docs, "Workflow commands"). Names in an image are anybody's: what would end a
command or a property of it is escaped, as the toolkit of GitHub's actions does (`escapeData`, `escapeProperty`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_MOST = 10
_COMMANDS = {"error": "error", "warning": "warning"}


def annotations(log: dict[str, Any]) -> list[str]:
    """The worst first; a note is none."""
    results = [result for run in log["runs"] for result in run["results"] if result["level"] in _COMMANDS]
    results.sort(key=lambda result: list(_COMMANDS).index(result["level"]))
    return [_annotation(result) for result in results[:_MOST]]


def _annotation(result: dict[str, Any]) -> str:
    place = result["locations"][0]["physicalLocation"]
    properties = {"title": f"teekit-verify {result['ruleId']}"}
    if "region" in place:  # of a file in the source; others are none that GitHub could show
        properties |= {"file": place["artifactLocation"]["uri"], "line": str(place["region"]["startLine"])}
    shown = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in properties.items())
    return f"::{_COMMANDS[result['level']]} {shown}::{_escaped(result['message']['text'])}"


def _escaped(text: str, also: str = "") -> str:
    for character in f"%\r\n{also}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


if __name__ == "__main__":
    for line in annotations(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))):
        print(line)  # noqa: T201 - it is what the runner reads
