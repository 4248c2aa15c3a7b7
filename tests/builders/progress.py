"""A `core.progress.Progress` that remembers what it was told."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.core.progress import Timing


class Recorder:
    """`said` holds the names of steps and the notes, in order."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.said.append(name)
        yield

    def count(self, done: int, total: int) -> None:
        pass

    def waiting(self, text: str) -> None:
        pass

    @property
    def timings(self) -> tuple[Timing, ...]:
        return ()

    def note(self, text: str) -> None:
        self.said.append(text)
