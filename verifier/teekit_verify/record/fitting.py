"""A report that can be read back: of more differences than a document may have, the first ones and their number.

Of archives inside archives there may be any number, and the verdict of two long builds must not be lost to them.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import repeat
from typing import TYPE_CHECKING

from teekit_verify.documents import codec
from teekit_verify.record.json_report import render_rebuild

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.explanation.tree import Difference, Explanation
    from teekit_verify.record.document import RebuildReport


def fitting(report: RebuildReport) -> RebuildReport:
    """The report itself, or with half of its differences, or a quarter, and so on."""
    shown, most = report, max((_count(one.differences) for one in report.explanations), default=0)
    while most and not _fits(render_rebuild(shown)):
        most //= 2
        shown = replace(report, explanations=tuple(_cut(one, most) for one in report.explanations))
    return shown


def _fits(data: bytes) -> bool:
    return len(data) <= codec.MAX_DOCUMENT_BYTES and not codec.has_too_many_values(data)


def _count(differences: Iterable[Difference]) -> int:
    return sum(1 + _count(difference.children) for difference in differences)


def _cut(one: Explanation, most: int) -> Explanation:
    if (count := _count(one.differences)) <= most:
        return one
    notice = f"only the first {most} of {count} differences are shown: `teekit-verify explain` has them all"
    return replace(one, differences=_first(one.differences, repeat(None, most)), notices=(*one.notices, notice))


def _first(differences: Iterable[Difference], room: Iterator[None]) -> tuple[Difference, ...]:
    """In the order of a page: each takes one of `room`, then its children do."""
    return tuple(
        replace(difference, children=_first(difference.children, room))
        for difference in differences
        if next(room, room) is None
    )
