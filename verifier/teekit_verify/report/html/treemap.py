"""What takes the space in the image, as nested rectangles whose areas are sizes, coloured by what changed.

Squarified (Bruls, Huizing, van Wijk: Squarified Treemaps, 2000): a row takes the next one as long as that makes its worst
rectangle less narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.report.html.section_map import DIFFERS, EQUAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from teekit_verify.explanation.tree import Difference
    from teekit_verify.inspection.space import SectionSpace
    from teekit_verify.record.document import RebuildReport
    from teekit_verify.report.html.section_map import SectionMap

WIDTH, HEIGHT = 960, 420
_HEAD = 20
_PADDING = 3
_SMALLEST_SHARE = 0.002
"""Of the image: what is smaller cannot be seen, and stands in the table only."""
_CHARACTER = 7.2
CHANGED, SAME, NEUTRAL = "bad", "good", "soft"
WORDS = {CHANGED: "changed", SAME: "unchanged", NEUTRAL: ""}


@dataclass(frozen=True, slots=True)
class Area:
    """`x`, `y`, `width`, `height` in the drawing's units."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tile:
    """A part, at its place; `text` is what of its name fits into it. `inner` are the folders of an initrd."""

    area: Area
    name: str
    size_bytes: int
    state: str
    text: str
    inner: tuple[Tile, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A row of the table: the same in words."""

    name: str
    size_bytes: int
    share: str
    state: str
    is_inner: bool


@dataclass(frozen=True, slots=True)
class Treemap:
    tiles: tuple[Tile, ...]
    parts: tuple[Part, ...]
    size_bytes: int


def treemap(report: RebuildReport, sections: SectionMap) -> Treemap | None:
    """None where the sizes are not known: of a report of an older version, or of a run that failed."""
    whole = sum(one.size_bytes for one in report.space)
    if not whole:
        return None
    states = _States(report, sections)
    ordered = sorted(report.space, key=lambda one: -one.size_bytes)
    seen = [one for one in ordered if one.size_bytes >= _SMALLEST_SHARE * whole]
    areas = squarified([one.size_bytes for one in seen], Area(0, 0, WIDTH, HEIGHT))
    tiles = tuple(_tile(one, area, states) for one, area in zip(seen, areas, strict=True))
    return Treemap(tiles, tuple(_parts(ordered, whole, states)), whole)


class _States:
    """What is known to differ, between A and B or from what was published."""

    def __init__(self, report: RebuildReport, sections: SectionMap) -> None:
        self._words = {name: set(words) for name, _, words in sections.rows}
        self._changed: set[tuple[str, str]] = set()
        for explanation in report.explanations:
            self._note(explanation.differences, "")

    def _note(self, differences: Iterable[Difference], section: str) -> None:
        stack = [(difference, section) for difference in differences]
        while stack:
            difference, inside = stack.pop()
            inside = difference.section or inside
            self._changed.add((inside, difference.name.strip("/")))
            stack += [(child, inside) for child in difference.children]

    def of_section(self, name: str) -> str:
        if DIFFERS in self._words.get(name, ()) or any(section == name for section, _ in self._changed):
            return CHANGED
        return SAME if EQUAL in self._words.get(name, ()) else NEUTRAL

    def of_folder(self, section: str, folder: str) -> str:
        """Of what differs in an initrd only A and B are known; all of it is the same if the section is."""
        below = f"{folder}/" if folder else ""
        if any(
            inside == section and (name == folder or name.startswith(below)) for inside, name in self._changed if name
        ):
            return CHANGED
        return SAME if self.of_section(section) == SAME else NEUTRAL


def _tile(section: SectionSpace, area: Area, states: _States) -> Tile:
    state = states.of_section(section.name)
    inner = _inner(section, area, states)
    return Tile(area, section.name, section.size_bytes, state, _fitting(section.name, area), tuple(inner))


def _inner(section: SectionSpace, area: Area, states: _States) -> Iterator[Tile]:
    room = Area(area.x + _PADDING, area.y + _HEAD, area.width - 2 * _PADDING, area.height - _HEAD - _PADDING)
    whole = sum(folder.size_bytes for folder in section.folders)
    if min(room.width, room.height) < _HEAD or not whole:
        return
    seen = [folder for folder in section.folders if folder.size_bytes >= whole / 200]
    for folder, place in zip(seen, squarified([one.size_bytes for one in seen], room), strict=True):
        state = states.of_folder(section.name, folder.name)
        name = folder.name or "/"
        yield Tile(place, name, folder.size_bytes, state, _fitting(name, place))


def _parts(sections: Sequence[SectionSpace], whole: int, states: _States) -> Iterator[Part]:
    for section in sections:
        share = f"{100 * section.size_bytes / whole:.1f} %"
        yield Part(section.name, section.size_bytes, share, states.of_section(section.name), is_inner=False)
        for folder in section.folders:
            state = states.of_folder(section.name, folder.name)
            yield Part(folder.name or "/", folder.size_bytes, "", state, is_inner=True)


def _fitting(name: str, area: Area) -> str:
    """All of a name, or its end, or nothing."""
    room = int((area.width - 8) / _CHARACTER)
    if area.height < _HEAD - 2 or room < 4:  # noqa: PLR2004 - fewer letters say nothing
        return ""
    return name if len(name) <= room else f"…{name[-room + 1 :]}"


def squarified(sizes: Sequence[int], room: Area) -> list[Area]:
    """A place for each size, which are positive and descend; the areas are in their proportion and fill the room."""
    found: list[Area] = []
    while len(found) < len(sizes):
        left = sizes[len(found) :]
        scale = room.width * room.height / sum(left)
        side = min(room.width, room.height)
        count = 1
        while count < len(left) and _worst(left[: count + 1], side, scale) <= _worst(left[:count], side, scale):
            count += 1
        row, room = _row(left[:count], room, scale)
        found += row
    return found


def _worst(row: Sequence[int], side: float, scale: float) -> float:
    """The ratio of the sides of its narrowest rectangle."""
    thickness = sum(row) * scale / side
    return max(max(thickness**2 / (size * scale), size * scale / thickness**2) for size in row)


def _row(row: Sequence[int], room: Area, scale: float) -> tuple[list[Area], Area]:
    """The row along the shorter side, and what is left of the room."""
    upright = room.width >= room.height
    side = room.height if upright else room.width
    thickness = sum(row) * scale / side
    placed, at = [], 0.0
    for size in row:
        length = size * scale / thickness
        placed.append(
            Area(room.x, room.y + at, thickness, length) if upright else Area(room.x + at, room.y, length, thickness)
        )
        at += length
    if upright:
        return placed, Area(room.x + thickness, room.y, room.width - thickness, room.height)
    return placed, Area(room.x, room.y + thickness, room.width, room.height - thickness)
