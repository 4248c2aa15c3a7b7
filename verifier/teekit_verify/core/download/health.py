"""What a run has learned about its sources: which answer, which are silent, which are not worth asking any more.

A source is what stands before the path of an address: scheme, host and port.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

_SILENT_TWICE = 2
_FORGIVEN = 20  # files for each further silence
_GIVEN_UP = 3  # files in a row
_QUIET = 5  # long silences in a row
_BEHIND_ONE_THAT_GAVE_SOME, _BEHIND_ONE_THAT_GAVE_NONE = 2, 4
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
    """`silences` and `finished`, files it gave whole, in the whole run; in a row: `quiet`, long silences, and `given_up`, files
    for which it failed to the end. `asked`: requests under way. `longest`: of the seconds it took for what it sent.
    """

    answered: bool = False
    finished: int = 0
    silences: int = 0
    longest: float = 0.0
    quiet: int = 0
    given_up: int = 0
    asked: int = 0

    @property
    def is_lost(self) -> bool:
        return self.given_up >= _GIVEN_UP or self.quiet >= _QUIET

    @property
    def goes_last(self) -> bool:
        return self.is_lost or self.silences >= _SILENT_TWICE + self.finished // _FORGIVEN


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

    def answers(self, source: str, after_seconds: float = 0.0) -> None:
        """It sent an answer, whatever that says, or more of one, after that time of silence."""
        with self._lock:
            state = self._of(source)
            state.answered, state.given_up, state.quiet = True, 0, 0
            state.longest = max(state.longest, after_seconds)

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

    def rank(self, source: str) -> int:
        """What it goes behind, in setbacks of one file (`Try.setbacks`): 0 unless it was silent twice or fails for file after
        file. One that gave many files may be silent now and then, and goes before one that gave none.
        """
        with self._lock:
            state = self._of(source)
            if not state.goes_last:
                return 0
            return _BEHIND_ONE_THAT_GAVE_SOME if state.finished else _BEHIND_ONE_THAT_GAVE_NONE

    def is_lost(self, source: str) -> bool:
        """Not worth asking in this run."""
        with self._lock:
            return self._of(source).is_lost

    def finishes(self, source: str) -> None:
        """It gave a file whole."""
        with self._lock:
            self._of(source).finished += 1

    def longest_seconds(self, source: str) -> float | None:
        """The longest silence that more came after; None of a source that has given no file whole: it may stop in the middle
        of each.
        """
        with self._lock:
            state = self._of(source)
            return state.longest if state.finished else None

    def is_crowded(self, source: str) -> bool:
        """Nobody knows yet whether it answers, and enough requests are waiting for that."""
        with self._lock:
            state = self._of(source)
            return not state.answered and state.asked >= _PROBES
