"""Why two artifacts differ, as Markdown: for an issue, a pull request, or the summary of a CI job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.report.explain_report import grouped, ordered
from teekit_verify.report.lock_effect import code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.explanation.tree import Explanation
    from teekit_verify.report.explain_report import Group

_MAX_ROWS = 100
_MAX_CELL = 200


def as_markdown(explanation: Explanation) -> str:
    """One row for each cause, then what none explains. Names and texts are foreign: they stand between backquotes, in one line."""
    names = f"{code(explanation.a)} and {code(explanation.b)}"
    if not explanation.differences:
        return "\n".join([f"**IDENTICAL**: every byte of {names} is equal.", *_notices(explanation)]) + "\n"
    groups = grouped(ordered(explanation))
    verdict = "DIFFERENT" if explanation.is_compared else "NOT COMPARED"
    lines = [f"**{verdict}**: {names}", "", "| count | first place | what differs | usually | A | B |"]
    lines += ["|---|---|---|---|---|---|", *(_row(group) for group in groups[:_MAX_ROWS])]
    if len(groups) > _MAX_ROWS:
        lines += ["", f"And {len(groups) - _MAX_ROWS} more, in `--json`."]
    return "\n".join([*lines, *_notices(explanation)]) + "\n"


def _notices(explanation: Explanation) -> list[str]:
    lines = [f"- note: {_cell(notice)}" for notice in explanation.notices]
    return ["", *lines] if lines else []


def _row(group: Group) -> str:
    return f"| {' | '.join(_cells(group))} |"


def _cells(group: Group) -> Iterator[str]:
    path, difference = group.first.path, group.first.difference
    yield str(group.count)
    yield _cell(" > ".join(path[1:] or path))
    yield _cell(difference.what)
    yield "; ".join(f"{cause.name}: {cause.usually}. {cause.advice}".strip() for cause in difference.causes).replace(
        "|", "/"
    )
    yield from (_cell(text) if text else "" for text in (difference.a, difference.b))


def _cell(text: str) -> str:
    return code(text if len(text) <= _MAX_CELL else f"{text[: _MAX_CELL - 3]}...")
