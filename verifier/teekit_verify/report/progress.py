"""Progress on standard error: each step with its elapsed time, and a heartbeat so that silence never looks like a hang."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from teekit_verify.core.progress import Timing
from teekit_verify.report.console import OUTCOME_ONLY, takes_escapes

if TYPE_CHECKING:
    from collections.abc import Iterator

_TERMINAL_BEAT_SECONDS = 1.0
_LOG_BEAT_SECONDS = 30.0


@dataclass(slots=True, eq=False)
class _Step:
    """A step that has begun (monotonic seconds) and not ended; `count` is how far it says it is, `waiting` for what it waits."""

    name: str
    begin: float
    count: str = ""
    waiting: str = ""


class StderrProgress:
    """Implements `core.progress.Progress`. With --quiet it only keeps the times."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_terminal = takes_escapes(self._stream)
        self._is_silent = OUTCOME_ONLY.get()
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._open: list[_Step] = []
        self._timings: list[Timing] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        step = _Step(name, time.monotonic())
        self._open.append(step)
        stop = threading.Event()
        beat = threading.Thread(target=self._beat, args=(step, stop), daemon=True)
        if not self._is_terminal:
            self._line(f"{name} ...")
        beat.start()
        ending = "failed"
        try:
            yield
            ending = "done"
        except KeyboardInterrupt:
            ending = "interrupted"
            raise
        finally:
            stop.set()
            beat.join()
            self._open.remove(step)
            seconds = time.monotonic() - step.begin
            self._timings.append(Timing(name, step.begin - self._started, seconds))
            self._line(f"{name}: {ending} in {seconds:.1f} s")

    def count(self, done: int, total: int) -> None:
        if self._open:
            self._open[-1].count, self._open[-1].waiting = f" {done}/{total}", ""

    def waiting(self, text: str) -> None:
        if self._open:
            self._open[-1].waiting = f", {text}"

    @property
    def timings(self) -> tuple[Timing, ...]:
        return tuple(self._timings)

    def note(self, text: str) -> None:
        self._line(text)

    def _beat(self, step: _Step, stop: threading.Event) -> None:
        while not stop.wait(_TERMINAL_BEAT_SECONDS if self._is_terminal else _LOG_BEAT_SECONDS):
            if self._open[-1] is not step:  # the step inside it beats
                continue
            text = f"{step.name}{step.count}{step.waiting} ... {time.monotonic() - step.begin:.0f} s"
            if self._is_terminal:
                self._write(f"\r\x1b[K{self._clock()} {text}")
            else:
                self._line(text)

    def _line(self, text: str) -> None:
        erase = "\r\x1b[K" if self._is_terminal else ""
        self._write(f"{erase}{self._clock()} {text}\n")

    def _write(self, text: str) -> None:
        if self._is_silent:
            return
        with self._lock:
            self._stream.write(text)
            self._stream.flush()

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"[{minutes:3d}:{seconds:02d}]"
