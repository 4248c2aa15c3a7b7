"""What a run has learned about its sources: which answer, which are silent, which are not worth asking any more.

A source is what stands before the path of an address: scheme, host and port.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

_SILENT_TWICE = 2
_GIVEN_UP = 3  # files in a row
_QUIET = 5  # long silences in a row
_PROBES = 2  # requests at a time to a source that has not answered yet


def source_of(url: str) -> str:
    """`https://mirror.example.org:8080`; empty for what is no address."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


@dataclass(slots=True, eq=False)
class _State:
    """`silences` in the whole run; in a row: `quiet`, long silences, and `given_up`, files for which it failed to the end.
    `asked`: requests under way.
    """

    answered: bool = False
    finished: bool = False
    silences: int = 0
    quiet: int = 0
    given_up: int = 0
    asked: int = 0

    @property
    def is_lost(self) -> bool:
        return self.given_up >= _GIVEN_UP or self.quiet >= _QUIET


class Health:
    """Threads may share it."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}
        self._lock = threading.Lock()

    def _of(self, source: str) -> _State:
        return self._states.setdefault(source, _State())

    def begins(self, source: str) -> None:
        with self._lock:
            self._of(source).asked += 1

    def ends(self, source: str) -> None:
        with self._lock:
            self._of(source).asked -= 1

    def answers(self, source: str) -> None:
        """It sent an answer, whatever that says."""
        with self._lock:
            state = self._of(source)
            state.answered, state.given_up, state.quiet = True, 0, 0

    def is_silent(self, source: str, *, long: bool) -> None:
        """Nothing came in time; `long` if it was given all the time there is."""
        with self._lock:
            state = self._of(source)
            state.silences += 1
            state.quiet += long

    def gives_up(self, source: str) -> None:
        """It failed for a file to the end."""
        with self._lock:
            self._of(source).given_up += 1

    def goes_last(self, source: str) -> bool:
        """Silent twice, or failing for file after file."""
        with self._lock:
            state = self._of(source)
            return state.silences >= _SILENT_TWICE or state.is_lost

    def is_lost(self, source: str) -> bool:
        """Not worth asking in this run."""
        with self._lock:
            return self._of(source).is_lost

    def finishes(self, source: str) -> None:
        """It gave a file whole."""
        with self._lock:
            self._of(source).finished = True

    def has_finished(self, source: str) -> bool:
        """Whether it has given any file whole: one that stops in the middle of each has not."""
        with self._lock:
            return self._of(source).finished

    def is_crowded(self, source: str) -> bool:
        """Nobody knows yet whether it answers, and enough requests are waiting for that."""
        with self._lock:
            state = self._of(source)
            return not state.answered and state.asked >= _PROBES
