"""How long to wait for a source, and when to ask it again."""

from __future__ import annotations

from teekit_verify.core.frozen import frozen

_SEVERAL = 8
_LONGER = 3


@frozen
class Patience:
    """Times in seconds. A source is asked for a file up to `attempts` times, not counting those that brought a part of it, or
    other bytes: those up to `most_wrong` times, as a mirror in the middle of its update has other bytes for a while.

    `silence` is how long nothing may come. A source that has given files in this run is asked again sooner, as the answer is
    probably lost: after several times what it takes to answer, between `shortest` and `brief`. One that has given none is
    asked again after `brief` the first time, or after `shortest` where there is another to ask.
    """

    attempts: int = 5
    most_wrong: int = 3
    first_pause: float = 0.25
    longest_pause: float = 60.0
    silence: float = 30.0
    brief: float = 10.0
    shortest: float = 1.0
    slowest_bytes_per_second: int = 4096  # over a whole answer; 8 of them share a line

    def pause(self, attempt: int, asked: float | None, spread: int) -> float:
        """Before attempt number `attempt` + 1. `asked` is what the server asks for; `spread` (0 to 255) keeps the files of a
        run from coming back all at once.
        """
        if asked is not None:
            return min(max(asked, 0.0), self.longest_pause)
        return min(self.first_pause * float(3 ** (attempt - 1)), self.longest_pause) * (0.75 + spread / 512)

    def known(self, longest_seconds: float, setbacks: int) -> float:
        """How long to bear the silence of a source that has never yet been silent for longer, if it was before for this file."""
        first = max(self.shortest, min(_SEVERAL * longest_seconds, self.brief), 2 * longest_seconds)
        return min(first * float(_LONGER**setbacks), self.silence)

    def answer_seconds(self, size_bytes: int) -> float:
        """For a whole answer of that size."""
        return self.silence + size_bytes / self.slowest_bytes_per_second
