"""How long work says what it is doing, without knowing who listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager


class Progress(Protocol):
    """Steps may nest; a step that ends by an exception is reported as failed."""

    def step(self, name: str) -> AbstractContextManager[None]: ...

    def count(self, done: int, total: int) -> None:
        """How far the innermost step is."""

    @property
    def timings(self) -> Sequence[tuple[str, float]]:
        """(step, seconds) of every step that ended, in order of ending."""

    def note(self, text: str) -> None:
        """Something the user should know now."""
