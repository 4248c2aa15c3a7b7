"""Many files at once: a few threads, each asking one source for one file at a time. A pause takes nobody's time."""

from __future__ import annotations

import heapq
import threading
import time
from typing import TYPE_CHECKING

from teekit_verify.core.download.faults import Fault
from teekit_verify.core.frozen import frozen
from teekit_verify.core.url import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from teekit_verify.core.download.sources import Job, Try

_PARALLEL = 8
_WORTH_SAYING = 2.0  # seconds
_LISTEN = 1.0  # seconds between looks at what is waited for


@frozen
class Waiting:
    """What a run waits for: an answer of `source` for `seconds`, or that it may be asked again in as many (`again`)."""

    source: str
    seconds: float
    again: bool
    detail: str = ""

    def in_words(self) -> str:
        if self.again:
            return f"asking {self.source} again in {self.seconds:.0f} s ({self.detail})"
        return f"no answer from {self.source} for {self.seconds:.0f} s"


@frozen
class Outcome:
    """The end of the file at `position`: the address that gave it, None if no source did, or a defect or local fault."""

    position: int
    served: str | None
    error: BaseException | None = None


class Rounds:
    """`ask` brings a file from one source or raises Fault; `size` is how much of a file there is."""

    def __init__(
        self,
        jobs: Sequence[Job],
        ask: Callable[[Try, Job, float, threading.Event], None],
        size: Callable[[Job], int],
    ) -> None:
        self._jobs = jobs
        self._ask = ask
        self._size = size
        self._condition = threading.Condition()
        self._due = [(0.0, position) for position in range(len(jobs))]
        self._under_way: dict[int, tuple[str, float]] = {}
        self._outcomes: list[Outcome] = []
        self._left = len(jobs)
        self._stop = threading.Event()

    def outcomes(self, waiting: Callable[[Waiting], None]) -> Generator[Outcome]:
        """As they come. The threads are daemons that are told to stop but not waited for: Ctrl-C must not wait for a server
        that is silent.
        """
        for _ in range(min(_PARALLEL, len(self._jobs))):
            threading.Thread(target=self._work, daemon=True).start()
        try:
            for _ in self._jobs:
                yield self._next_outcome(waiting)
        finally:
            self._stop.set()
            with self._condition:
                self._condition.notify_all()

    def _next_outcome(self, waiting: Callable[[Waiting], None]) -> Outcome:
        while True:
            with self._condition:
                if not self._outcomes:
                    self._condition.wait(_LISTEN)
                if self._outcomes:
                    return self._outcomes.pop(0)
                found = self._longest(time.monotonic())
            if found is not None:
                waiting(found)

    def _longest(self, now: float) -> Waiting | None:
        if self._under_way:
            url, since = min(self._under_way.values(), key=lambda item: item[1])
            return Waiting(shown(url), now - since, again=False) if now - since >= _WORTH_SAYING else None
        if self._due:
            _, position = self._due[0]
            one, _ = self._jobs[position].next(now)
            if one is not None:
                detail = one.refusal.detail if one.refusal else ""
                return Waiting(shown(one.url), max(one.due - now, 0.0), again=True, detail=detail)
        return None

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            position, one = taken
            job = self._jobs[position]
            try:
                done = self._step(job, one)
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                self._finish(Outcome(position, None, error))
            else:
                if done:
                    self._finish(Outcome(position, one.url))
                else:
                    self._put_back(position)

    def _take(self) -> tuple[int, Try] | None:
        """The next file and source, waiting for a time that suits them; None when there is nothing to do any more."""
        with self._condition:
            while self._left and not self._stop.is_set():
                now = time.monotonic()
                if not self._due or self._due[0][0] > now:
                    self._condition.wait(self._due[0][0] - now if self._due else None)
                    continue
                _, position = heapq.heappop(self._due)
                job = self._jobs[position]
                one, due = job.next(now)
                if one is None:
                    self._end(Outcome(position, None))
                elif due > now:
                    heapq.heappush(self._due, (due, position))
                else:
                    job.health.begins(one.source)
                    self._under_way[position] = (one.url, now)
                    return position, one
        return None

    def _step(self, job: Job, one: Try) -> bool:
        before = self._size(job)
        seconds = job.seconds_for(one)
        try:
            self._ask(one, job, seconds, self._stop)
        except Fault as fault:
            after = self._size(job)
            job.failed(
                one,
                fault,
                grew=after > before,
                discarded=bool(before) and not after,
                asked_seconds=seconds,
                now=time.monotonic(),
            )
            return False
        finally:
            job.health.ends(one.source)
        return True

    def _put_back(self, position: int) -> None:
        with self._condition:
            self._under_way.pop(position, None)
            heapq.heappush(self._due, (0.0, position))
            self._condition.notify()

    def _finish(self, outcome: Outcome) -> None:
        with self._condition:
            self._under_way.pop(outcome.position, None)
            self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        self._left -= 1
        self._outcomes.append(outcome)
        self._condition.notify_all()
