"""Initrds that are walked in step tell the same whatever came, went or moved; and each is unpacked once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from builders.cpio import Entry, build_cpio
from builders.explain import explained, named, packed
from teekit_verify.artifacts.compressed import Decompressed

ENTRIES = [Entry(f"usr/{name}", f"content of {name}\n".encode()) for name in "abcdefghij"]
CHANGED = replace(ENTRIES[5], content=b"other content\n")


def _told(folder: Path, one: list[Entry], other: list[Entry]) -> list[str]:
    sides = (packed(build_cpio(side)) for side in (one, other))
    return sorted(name for name, _ in named(explained(folder, *sides, name="initrd")))


def test_what_came_or_went_does_not_hide_what_changed(tmp_path: Path) -> None:
    with_changed = [*ENTRIES[:5], CHANGED, *ENTRIES[6:]]
    for gone in (ENTRIES[0], ENTRIES[3], ENTRIES[9]):
        rest = [entry for entry in with_changed if entry != gone]
        assert _told(tmp_path, ENTRIES, rest) == sorted([gone.name, "usr/f"])
        assert _told(tmp_path, rest, ENTRIES) == sorted([gone.name, "usr/f"])


@pytest.mark.parametrize("moved", [0, 4, 9])
@pytest.mark.parametrize("to", [0, 5, 9])
def test_an_entry_that_moved_is_seen(tmp_path: Path, moved: int, to: int) -> None:
    rest = [entry for number, entry in enumerate(ENTRIES) if number != moved]
    rest.insert(to, ENTRIES[moved])
    expected = [] if moved == to else ["order of the entries"]
    if not expected:
        assert rest == ENTRIES
    else:
        assert _told(tmp_path, ENTRIES, rest) == expected
        changed = [CHANGED if entry.name == CHANGED.name else entry for entry in rest]
        assert _told(tmp_path, ENTRIES, changed) == ["order of the entries", "usr/f"]


def test_names_that_come_twice(tmp_path: Path) -> None:
    twice = [*ENTRIES, replace(ENTRIES[2], content=b"once more\n")]
    assert _told(tmp_path, twice, [*ENTRIES, replace(ENTRIES[2], content=b"and again\n")]) == ["usr/c"]
    assert _told(tmp_path, twice, ENTRIES) == ["usr/c"]
    assert _told(tmp_path, [twice[-1], *ENTRIES], twice) != []


def test_shared_content_is_found_wherever_it_is_stored(tmp_path: Path) -> None:
    """newc has it with the last of the names: here other ones are last, and then it changes."""
    first, last = Entry("a", links=2, inode=7), Entry("b", b"shared\n", links=2, inode=7)
    turned = [Entry("b", links=2, inode=7), Entry("a", b"shared\n", links=2, inode=7)]
    assert _told(tmp_path, [first, last], turned) == ["order of the entries"]
    assert _told(tmp_path, [first, last], [first, replace(last, content=b"differs\n")]) == ["b"]


def test_an_empty_file_and_one_that_is_not(tmp_path: Path) -> None:
    assert _told(tmp_path, ENTRIES, [*ENTRIES[:5], replace(CHANGED, content=b""), *ENTRIES[6:]]) == ["usr/f"]


def test_each_side_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []
    init = Decompressed.__init__

    def counted(self: Decompressed, *arguments: object) -> None:
        begun.append(1)
        init(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Decompressed, "__init__", counted)
    assert _told(tmp_path, ENTRIES, [*ENTRIES[1:5], CHANGED, *ENTRIES[6:], Entry("usr/new", b"x")]) != []
    # Of either side the first bytes, to see that it is an archive, and all of it.
    assert len(begun) == 4
