from __future__ import annotations

from typing import TYPE_CHECKING

from builders import eventlog as build
from teekit_verify.boot import memory
from teekit_verify.boot.memory import find_logs

if TYPE_CHECKING:
    from pathlib import Path

BOTH = (build.SHA256, build.SHA384)
EVENTS = [build.measured(4, 0x80000007, b"action %d" % number, *BOTH) for number in range(3)]
SHORT = build.header(*BOTH) + EVENTS[0]
LONG = build.header(*BOTH) + b"".join(EVENTS)


def _memory(tmp_path: Path, parts: dict[int, bytes], size_bytes: int = 64 << 20) -> Path:
    path = tmp_path / "memory"
    with path.open("wb") as stream:
        stream.truncate(size_bytes)
        for offset, data in parts.items():
            stream.seek(offset)
            stream.write(data)
    return path


def test_the_longest_log_comes_first(tmp_path: Path) -> None:
    path = _memory(tmp_path, {0x1021: SHORT, 0x2000028: LONG, 0x3000000: SHORT + build.END})
    found = find_logs(path)
    assert [(log.offset, log.raw) for log in found] == [(0x2000028, LONG), (0x1021, SHORT), (0x3000000, SHORT)]
    assert len(found[0].log.events) == 3


def test_what_is_no_log_is_passed_over(tmp_path: Path) -> None:
    parts = {
        0: b"Spec ID Event03\0 too near the start",
        0x10000: b"x" * 40 + b"Spec ID Event03\0 in a driver's text",
        0x30000: build.header(*BOTH) + build.END,  # no event yet
        0x40000: LONG[: len(SHORT) + 30] + b"\xee" * 500,  # cut within an event
    }
    assert [log.offset for log in find_logs(_memory(tmp_path, parts))] == []


def test_a_log_at_the_very_end_of_memory(tmp_path: Path) -> None:
    path = _memory(tmp_path, {(1 << 20) - len(LONG): LONG}, 1 << 20)
    assert [log.raw for log in find_logs(path)] == [LONG]


def test_a_log_across_two_extents(tmp_path: Path) -> None:
    """The file has holes of pages; a log does not care where a page ends."""
    path = _memory(tmp_path, {0x100000 - 40: LONG})
    assert [log.offset for log in find_logs(path)] == [0x100000 - 40]


def test_nothing_in_empty_memory(tmp_path: Path) -> None:
    assert find_logs(_memory(tmp_path, {})) == ()
    assert find_logs(_memory(tmp_path, {}, 0)) == ()


def test_memory_full_of_signatures_is_bounded(tmp_path: Path) -> None:
    flood = (bytes(32) + b"Spec ID Event03\0") * 5000
    path = _memory(tmp_path, {0: flood, 0x1000000: LONG})
    assert len(list(_offsets(path))) == 1000


def _offsets(path: Path) -> list[int]:
    import mmap  # noqa: PLC0415 - only here

    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as view:
        return list(memory._candidates(view, stream.fileno()))
