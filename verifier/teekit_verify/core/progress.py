"""How long work says what it is doing, without knowing who listens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager


@dataclass(frozen=True, slots=True)
class Timing:
    """A step that ended. `begin_seconds` counts from the start of the run."""

    name: str
    begin_seconds: float
    seconds: float


class Progress(Protocol):
    """Steps may nest; a step that ends by an exception is reported as failed."""

    def step(self, name: str) -> AbstractContextManager[None]:
        """One step, from entering the block to leaving it; `name` is told to the user."""

    def count(self, done: int, total: int) -> None:
        """How far the innermost step is."""

    def waiting(self, text: str) -> None:
        """What the innermost step waits for; forgotten with its next count."""

    @property
    def timings(self) -> Sequence[Timing]:
        """Every step that ended, in order of ending."""

    def note(self, text: str) -> None:
        """Something the user should know now."""
