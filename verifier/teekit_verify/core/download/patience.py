"""How long to wait for a source, and when to ask it again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds. A source is asked for a file up to `attempts` times, not counting those that brought a part of it.

    `silence` is how long nothing may come; `brief` and `shortest` are that while there is another source to ask: the one for a
    source that has given a file in this run, the other for one that has not.
    """

    attempts: int = 5
    first_pause: float = 0.25
    longest_pause: float = 60.0
    silence: float = 30.0
    brief: float = 10.0
    shortest: float = 1.5
    slowest_bytes_per_second: int = 4096  # over a whole answer; 8 of them share a line

    def pause(self, attempt: int, asked: float | None, spread: int) -> float:
        """Before attempt number `attempt` + 1. `asked` is what the server asks for; `spread` (0 to 255) keeps the files of a
        run from coming back all at once.
        """
        if asked is not None:
            return min(max(asked, 0.0), self.longest_pause)
        return min(self.first_pause * float(3 ** (attempt - 1)), self.longest_pause) * (0.75 + spread / 512)

    def answer_seconds(self, size_bytes: int) -> float:
        """For a whole answer of that size."""
        return self.silence + size_bytes / self.slowest_bytes_per_second
