"""What takes the space: areas are in proportion to sizes, and what changed is marked."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import documents as sample
from builders import reports
from teekit_verify.explanation.tree import Difference, Explanation, Kind
from teekit_verify.inspection.space import FolderSpace, SectionSpace
from teekit_verify.report.html import page
from teekit_verify.report.html.registers import register_views
from teekit_verify.report.html.section_map import section_map
from teekit_verify.report.html.treemap import Area, Treemap, squarified, treemap

if TYPE_CHECKING:
    from teekit_verify.record.document import RebuildReport

SPACE = (
    SectionSpace(".cmdline", 10),
    SectionSpace(".linux", 15_000_000),
    SectionSpace(".initrd", 85_000_000, (FolderSpace("usr/lib/modules", 60_000_000), FolderSpace("etc", 30_000_000))),
)


def made(report: RebuildReport) -> Treemap:
    found = treemap(report, section_map(register_views(report)))
    assert found is not None
    return found


def plain(**changes: object) -> RebuildReport:
    report = reports.rebuild(sample.build(), sample.build(), sample.measurements(), sample.reference())
    return replace(report, space=SPACE, **changes)  # type: ignore[arg-type]


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30))
def test_areas_are_in_proportion_and_fill_the_room_without_overlap(sizes: list[int]) -> None:
    sizes = sorted(sizes, reverse=True)
    room = Area(3, 5, 900, 400)
    found = squarified(sizes, room)
    for size, area in zip(sizes, found, strict=True):
        assert area.width * area.height == pytest.approx(900 * 400 * size / sum(sizes), rel=1e-6)
        assert area.x >= 3 - 1e-6
        assert area.y >= 5 - 1e-6
        assert area.x + area.width <= 903 + 1e-6
        assert area.y + area.height <= 405 + 1e-6
    for one, other in combinations(found, 2):
        across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
        down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
        assert across < 1e-5 or down < 1e-5


def test_the_example_of_the_paper() -> None:
    """Bruls, Huizing, van Wijk, "Squarified Treemaps", figure 3: 6, 6, 4, 3, 2, 2, 1 in 6 x 4; first two in a column of width 3."""
    found = squarified([6, 6, 4, 3, 2, 2, 1], Area(0, 0, 6, 4))
    assert [(round(a.x, 2), round(a.y, 2), round(a.width, 2), round(a.height, 2)) for a in found[:4]] == [
        (0, 0, 3, 2),
        (0, 2, 3, 2),
        (3, 0, 1.71, 2.33),
        (4.71, 0, 1.29, 2.33),
    ]


def test_what_differs_between_a_and_b_is_marked_down_to_the_folder() -> None:
    leaf = Difference("etc/machine-id", Kind.CONTENT, "differs")
    section = Difference("section .initrd", Kind.CONTENT, "archive", children=(leaf,), section=".initrd")
    uki = Difference("a.efi and b.efi", Kind.CONTENT, "UKI", children=(section,))
    found = made(plain(explanations=(Explanation("a.efi", "b.efi", (uki,)),)))
    states = {part.name: part.state for part in found.parts}
    assert states[".initrd"] == "bad"
    assert states["etc"] == "bad"
    assert states["usr/lib/modules"] != "bad"
    assert states[".linux"] != "bad"


def test_what_differs_from_the_reference_is_marked() -> None:
    report = reports.rebuild(sample.build(), sample.build(), reports.EVIL, sample.reference())
    states = {part.name: part.state for part in made(replace(report, space=SPACE)).parts}
    assert states[".cmdline"] == "bad"  # reports.EVIL has another command line
    assert states[".linux"] == "good"


def test_what_is_too_small_to_see_is_in_the_table() -> None:
    found = made(plain())
    assert [tile.name for tile in found.tiles] == [".initrd", ".linux"]
    assert [part.name for part in found.parts if not part.is_inner] == [".initrd", ".linux", ".cmdline"]


def test_the_page_has_it_as_a_picture_with_a_name() -> None:
    text = page.render(plain()).decode()
    (drawing,) = re.findall(r'<svg class="treemap".*?</svg>', text, re.DOTALL)
    root = ET.fromstring(drawing)  # noqa: S314 - our own page
    assert root.get("role") == "img"
    assert root.findtext("title")
    titles = [group.findtext("title") for group in root.iter("g")]
    assert any((title or "").startswith(".linux: 14.3 MiB") for title in titles)


def test_a_report_that_does_not_know_the_sizes_has_none() -> None:
    assert 'id="space"' not in page.render(replace(plain(), space=())).decode()
