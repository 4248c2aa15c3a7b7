"""The drawing of the chain: source, inputs, environment, builds A and B, files, registers, quote; coloured by outcome.

Two arrangements of the same boxes, for a wide and for a narrow page. All words are ours: nothing of a report is in it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.rebuild.vouching import EnvironmentFrom

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.record.document import RebuildReport
    from teekit_verify.report.html.why import Link

_WIDTH, _HEIGHT = 132, 58
GOOD, BAD, OPEN = "good", "bad", "open"
_WORDS = {GOOD: "as it must be", BAD: "differs", OPEN: "open"}


@dataclass(frozen=True, slots=True)
class Box:
    """`x` and `y` are those of its upper left corner; `href` is the section that tells more."""

    x: int
    y: int
    title: str
    state: str
    text: str
    href: str
    width: int = _WIDTH
    height: int = _HEIGHT

    @property
    def middle(self) -> tuple[int, int]:
        return self.x + self.width // 2, self.y + self.height // 2


@dataclass(frozen=True, slots=True)
class Line:
    """From one box to the next; `state` is that of what it leads to."""

    x1: int
    y1: int
    x2: int
    y2: int
    state: str


@dataclass(frozen=True, slots=True)
class Drawing:
    name: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """One thing of the chain. Those with the same `step` stand beside each other."""

    step: int
    title: str
    state: str
    text: str
    href: str


def drawings(report: RebuildReport, links: Sequence[Link]) -> tuple[Drawing, Drawing]:
    parts = tuple(_parts(report, [link.state for link in links]))
    return _arranged("wide", parts, along=True), _arranged("narrow", parts, along=False)


def _parts(report: RebuildReport, states: Sequence[str]) -> Iterator[Part]:
    """`states` are those of the four links: inputs, builds, files, registers."""
    inputs, builds, files, registers = states
    yield _source(report)
    published = report.inputs is not None and report.inputs.sha256_reference is not None
    yield Part(1, "Inputs", inputs, _word(inputs, "as published" if published else "A and B equal"), "#inputs")
    yield _environment(report)
    for name in ("Build A", "Build B"):
        yield Part(2, name, builds, _word(builds, "A and B equal"), "#artifacts")
    yield Part(3, "Files", files, _word(files, "as published"), "#artifacts")
    yield Part(4, "Registers", registers, _word(registers, "as published"), "#registers")
    yield Part(5, "Quote", OPEN, "ask the machine", "#next")


def _source(report: RebuildReport) -> Part:
    origin = report.origin
    known = origin is not None and origin.commit is not None
    if origin is not None and origin.changes:
        return Part(0, "Source", OPEN, "changed files", "#warnings")
    return Part(0, "Source", GOOD if known else OPEN, "one commit" if known else "not known", "#reproduce")


def _environment(report: RebuildReport) -> Part:
    vouched = {None: "not known", EnvironmentFrom.UNKNOWN: "nobody vouches"}
    if report.environment is None:
        return Part(1, "Environment", OPEN, "not known", "#environment")
    text = vouched.get(report.environment_from)
    return Part(1, "Environment", GOOD if text is None else OPEN, text or "pinned", "#environment")


def _word(state: str, good: str) -> str:
    return good if state == GOOD else _WORDS[state]


def _arranged(name: str, parts: Sequence[Part], *, along: bool) -> Drawing:
    """Step by step from left to right, or from top to bottom; two of one step beside each other."""
    gap, beside = (38, 24) if along else (30, 28)
    across = 2 * (_HEIGHT if along else _WIDTH) + beside
    boxes: dict[int, list[Box]] = {}
    for part in parts:
        own = [one for one in parts if one.step == part.step]
        size = _HEIGHT if along else _WIDTH
        offset = own.index(part) * (size + beside) if len(own) > 1 else (across - size) // 2
        forward = part.step * ((_WIDTH if along else _HEIGHT) + gap)
        x, y = (forward, offset) if along else (offset, forward)
        boxes.setdefault(part.step, []).append(Box(x + 1, y + 1, part.title, part.state, part.text, part.href))
    steps = [boxes[step] for step in sorted(boxes)]
    lines = tuple(
        _line(one, other, along=along)
        for before, after in itertools.pairwise(steps)
        for one in before
        for other in after
    )
    length = (len(steps) - 1) * ((_WIDTH if along else _HEIGHT) + gap) + (_WIDTH if along else _HEIGHT)
    width, height = (length, across) if along else (across, length)
    return Drawing(name, width + 2, height + 2, tuple(box for step in steps for box in step), lines)


def _line(one: Box, other: Box, *, along: bool) -> Line:
    (x1, y1), (x2, y2) = one.middle, other.middle
    if along:
        return Line(one.x + one.width, y1, other.x, y2, other.state)
    return Line(x1, one.y + one.height, x2, other.y, other.state)
