"""Progress on a terminal and in a log."""

from __future__ import annotations

import io
import re
import time
from types import SimpleNamespace

import pytest

from teekit_verify.report import progress
from teekit_verify.report.progress import StderrProgress


@pytest.fixture(autouse=True)
def _time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a busy machine prints the same."""
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 0.0))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def without_times(text: str) -> list[str]:
    return [re.sub(r"\[ *\d+:\d\d\] ", "", re.sub(r"\d+(\.\d)? s$", "N s", line)) for line in text.splitlines()]


def wait_for(stream: io.StringIO, text: str) -> None:
    deadline = time.monotonic() + 600
    while text not in stream.getvalue():
        assert time.monotonic() < deadline, stream.getvalue()
        time.sleep(0.005)


def test_a_log_gets_a_line_when_a_step_begins_and_ends() -> None:
    stream = io.StringIO()
    shown = StderrProgress(stream)
    with shown.step("build A"):
        pass
    shown.note("taken as it is")
    assert without_times(stream.getvalue()) == ["build A ...", "build A: done in N s", "taken as it is"]
    assert re.match(r"\[  0:00\] build A \.\.\.\n\[  0:00\] build A: done in 0\.0 s\n", stream.getvalue())


def test_a_terminal_keeps_only_the_end_of_a_step() -> None:
    stream = Terminal()
    with StderrProgress(stream).step("build A"):
        pass
    assert re.fullmatch(r"\r\x1b\[K\[  0:00\] build A: done in 0\.0 s\n", stream.getvalue())


def test_silence_is_filled_with_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LOG_BEAT_SECONDS", 0.01)
    stream = io.StringIO()
    shown = StderrProgress(stream)
    with shown.step("fetch"):
        wait_for(stream, "fetch ... 0 s")
        shown.count(3, 7)
        wait_for(stream, "fetch 3/7 ... 0 s")
    with shown.step("build"):
        wait_for(stream, "build ... 0 s")
    assert "build 3/7" not in stream.getvalue()  # a count belongs to its step
    ended = stream.getvalue()
    time.sleep(0.05)
    assert stream.getvalue() == ended  # and the heart stops with it


def test_a_heartbeat_on_a_terminal_overwrites_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_TERMINAL_BEAT_SECONDS", 0.01)
    stream = Terminal()
    with StderrProgress(stream).step("fetch"):
        wait_for(stream, "\r\x1b[K[  0:00] fetch ... 0 s\r\x1b[K")
    assert stream.getvalue().count("\n") == 1


@pytest.mark.parametrize(("error", "ending"), [(ValueError, "failed"), (KeyboardInterrupt, "interrupted")])
def test_a_step_that_does_not_end_well_says_so(error: type[BaseException], ending: str) -> None:
    stream = io.StringIO()
    shown = StderrProgress(stream)
    with pytest.raises(error), shown.step("build A"):
        raise error
    assert without_times(stream.getvalue())[-1] == f"build A: {ending} in N s"
    assert [timing.name for timing in shown.timings] == ["build A"]


def test_only_the_innermost_step_beats_and_timings_come_in_order_of_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LOG_BEAT_SECONDS", 0.01)
    stream = io.StringIO()
    shown = StderrProgress(stream)
    with shown.step("outer"):
        shown.count(1, 2)
        wait_for(stream, "outer 1/2 ... 0 s")
        with shown.step("inner"):
            wait_for(stream, "inner ... 0 s")
            time.sleep(0.05)
            assert "outer" not in stream.getvalue().partition("inner ...\n")[2]
            assert "inner 1/2" not in stream.getvalue()
        stream.truncate(0)
        wait_for(stream, "outer 1/2 ... 0 s")
    assert [timing.name for timing in shown.timings] == ["inner", "outer"]
    inner, outer = shown.timings
    assert outer.begin_seconds <= inner.begin_seconds
    assert 0 <= inner.seconds <= outer.seconds
