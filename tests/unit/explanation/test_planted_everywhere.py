"""Planted differences in every container: a small sample of what `python -m builders.plants 300` measures (docs/explaining.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

from builders.cpio import Entry
from builders.explain import explained, named, uki_with
from builders.plants import CONTAINERS, tell
from teekit_verify.explanation.tree import culprits


@pytest.mark.parametrize(("number", "container"), list(enumerate(CONTAINERS)))
def test_a_planted_difference_is_named_with_its_cause(tmp_path: Path, number: int, container: str) -> None:
    told = tell(7 * number + 3, tmp_path, container)
    assert not told.is_equal
    assert told.is_named, told
    assert told.has_right_cause, told


@pytest.mark.parametrize(
    ("line", "causes"),
    [
        (b"built by alice@runner-7\n", ["user name", "host name"]),
        (b"Signed-off-by: Alice <alice@example.org>\n", []),
        (b"done at 2026-11-23 05:17:43 UTC\n", ["time stamp"]),
        (b"Mon Nov 23 05:01:12 UTC 2026\n", ["time stamp"]),
        (b"Copyright 2026 Alice\n", []),
        (b"on Monday, version 1.2.3\n", []),
        (b"net.core.somaxconn = 4096\n", []),
        (b"user@1000.service\n", []),
    ],
)
def test_a_line_that_one_side_alone_has(tmp_path: Path, line: bytes, causes: list[str]) -> None:
    sides = (uki_with(Entry("etc/x", text)) for text in (b"one\ntwo\n", b"one\n" + line + b"two\n"))
    assert named(explained(tmp_path, *sides)) == [("etc/x", causes)]


def test_the_content_of_a_file_that_one_side_alone_has(tmp_path: Path) -> None:
    text = Entry("etc/new", b"first\nsecond\n")
    binary = Entry("etc/old", b"\0\1\2" * 30)
    large = Entry("etc/large", b"x" * 5000)
    found = explained(tmp_path, uki_with(binary), uki_with(text, large))
    shown = {leaf.path[-1]: leaf.difference.excerpt for leaf in culprits(found.differences)}
    assert shown["etc/new"] == ("+first", "+second")
    assert shown["etc/old"][0] == "-00000000: 0001 0200 0102 0001 0200 0102 0001 0200  ................"
    assert shown["etc/large"] == ()
