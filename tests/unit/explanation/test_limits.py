"""Two artifacts that differ everywhere are told in bounded room, and what is left out is said."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from builders.blobs import blob_of
from builders.cpio import DIRECTORY, Entry, build_cpio
from builders.explain import explained, packed, uki_of, uki_with
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.explanation import examination, raw
from teekit_verify.explanation.examination import Examination, Spool
from teekit_verify.explanation.explain import FORMATS, explain
from teekit_verify.explanation.formats import archive, presence
from teekit_verify.explanation.pair import Pair


def files(side: bytes, count: int = 12) -> bytes:
    return uki_with(*(Entry(f"f{number:02}", side * (number + 1)) for number in range(count)))


def test_only_so_many_files_are_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_LOOKED_INTO", 3)
    monkeypatch.setattr(archive, "_MAX_SHOWN", 10)
    found = explained(tmp_path, files(b"a\n"), files(b"b\n")).differences[0].children[0].children
    assert [one.what for one in found[:3]] == [
        "text, 1 different line",
        "text, 2 different lines",
        "text, 3 different lines",
    ]
    assert [one.what for one in found[3:10]] == ["differs (one of too many to be examined)"] * 7
    assert (found[10].name, found[10].what) == ("2 more files", "differ")


def test_large_files_are_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_MAX_LOOKED_INTO_BYTES", 8)
    found = explained(tmp_path, files(b"a\n", 3), files(b"b\n", 3)).differences[0].children[0].children
    assert found[2].what == "differs (one of too many to be examined)"
    assert (found[2].a, found[2].b) == ("6 bytes", "6 bytes")


def test_what_only_one_side_has_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "_MAX_SHOWN", 2)
    found = explained(tmp_path, uki_with(), files(b"x", 5)).differences[0].children[0].children
    assert [one.name for one in found] == ["f00", "f01", "3 more entries"]


def test_a_folder_stands_for_all_that_is_deep_below_it(tmp_path: Path) -> None:
    tree = [Entry("a", mode=DIRECTORY | 0o755), Entry("a/b", mode=DIRECTORY | 0o755), Entry("a/b/c"), Entry("a/b/d")]
    (found,) = explained(tmp_path, uki_with(*tree), uki_with()).differences[0].children[0].children
    assert (found.name, found.what) == ("a", "only in A, with 3 entries below it")


def test_archives_in_archives_end_somewhere(tmp_path: Path) -> None:
    sides = []
    for text in (b"1", b"2"):
        inner = text
        for _ in range(20):
            inner = packed(build_cpio([Entry("x", inner)]))
        sides.append(uki_of(inner))
    difference, depth = explained(tmp_path, *sides).differences[0], 1
    while difference.children:
        (difference,), depth = difference.children, depth + 1
    assert depth == 9


def test_a_spool_has_an_end() -> None:
    spool = Spool(io.BytesIO(), 5)
    with pytest.raises(UnsupportedInputError, match="it unpacks to more than this program reads"):
        spool.keep([b"123", b"456"])


def test_a_full_disk_is_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, os.strerror(28))

    with pytest.raises(TeekitError, match="a temporary file cannot be written: No space left on device"):
        Spool(Full(), 5).keep([b"123"])
    monkeypatch.setattr(Examination, "spool", lambda *_: Spool(Full(), 5))
    found = explained(tmp_path, files(b"a"), files(b"b"))
    assert [one.name for one in found.differences[0].children] == ["section .initrd"]
    assert found.notices[0].startswith("a temporary file cannot be written: No space left on device: ")


def test_notes_are_bounded_and_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "_MAX_NOTICES", 2)
    with Examination(tmp_path, FORMATS) as started:
        for text in ("one\x1b", "one\x1b", "two", "three"):
            started.note(text)
        assert started.notices == [r"one\x1b", "two"]


def compared(one: bytes, other: bytes) -> tuple[str, tuple[str, ...]]:
    found = raw.compare_bytes(Pair(("x",), blob_of(one), blob_of(other)), ())
    return found.what, found.excerpt


def test_a_long_text_is_shown_from_the_line_that_differs() -> None:
    before = b"".join(b"line %d\n" % number for number in range(50_000))
    assert compared(before + b"one\nend\n", before + b"two\nend\n") == ("text, 1 different line", ("-one", "+two"))
    assert compared(b"x" * 9000 + b"1", b"x" * 9000 + b"2")[0] == "text, 1 different line"


def test_many_different_lines() -> None:
    one, other = (b"".join(b"%s%d\n" % (name, number) for number in range(5000)) for name in (b"a", b"b"))
    what, excerpt = compared(one, other)
    assert what == "text, 32 or more different lines"
    assert len(excerpt) == 12
    assert compared(b"y" * 5000 + b"\n", b"z" * 5000 + b"\n")[1][0] == "-" + "y" * 160 + "..."


def test_lines_that_came_or_went() -> None:
    assert compared(b"a\nb\n", b"a\nnew\nb\n") == ("text, 1 different line", ("+new",))


def test_text_is_told_from_bytes_at_a_cut_character() -> None:
    text = "é".encode() * 40_000
    assert raw.is_text(blob_of(b"x" + text))
    assert not raw.is_text(blob_of(b"\xe9 latin-1 " * 9))
    assert not raw.is_text(blob_of(b"a\0b"))


def test_bytes_that_differ_everywhere_are_told_by_the_first() -> None:
    one, other = b"\0" + b"\1" * 3_000_000, b"\0" + b"\2" * 3_000_000
    what, excerpt = compared(one, other)
    assert what == "differs in 32 or more places, the first at offset 0x1"
    assert excerpt[0].startswith("-00000000: 0001 0101")


def test_differences_in_far_places() -> None:
    one = bytearray(3 << 20)
    other = bytearray(one)
    for at in (5, 6, 1 << 20, (3 << 20) - 1):
        other[at] = 1
    assert compared(bytes(one), bytes(other))[0] == "differs in 3 places, the first at offset 0x5"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A pipe would be waited for, and a device or a file of /proc, whose size is 0, would be IDENTICAL to any other."""
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/proc/self/status")):
        with pytest.raises(TeekitError, match=f"{path}: cannot be read: it is not a file with a size"):
            explain(path, tmp_path / "file", folder=tmp_path)
    with pytest.raises(TeekitError, match=f"{tmp_path} is a folder, and what it is compared with is a file"):
        explain(tmp_path, tmp_path / "file", folder=tmp_path)
