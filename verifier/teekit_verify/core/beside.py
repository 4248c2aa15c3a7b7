"""Work on other threads, for what lets the interpreter go (hashing). `concurrent.futures` would import logging, which is slow to start."""

from __future__ import annotations

import os
from threading import Lock, Thread
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class Beside(Generic[_Result]):
    """One call, made on a thread of its own from now on; the end of the `with` block waits for it."""

    def __init__(self, work: Callable[[], _Result]) -> None:
        self._work = work
        self._results: list[_Result] = []
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._work())
        except BaseException as failure:  # noqa: BLE001 - raised where the result is asked for
            self._failure = failure

    def result(self) -> _Result:
        """Waits. Raises what the call raised."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._results[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join()


def on_threads(work: Callable[[_Job], _Result], jobs: Iterable[_Job]) -> list[_Result]:
    """The result for each job, in their order; as many at once as there are processors. Raises what a job raised, when none runs any more."""
    numbered = list(enumerate(jobs))
    results: dict[int, _Result] = {}
    left, lock = iter(numbered), Lock()

    def run() -> None:
        while True:
            with lock:
                item = next(left, None)
            if item is None:
                return
            results[item[0]] = work(item[1])

    others = [Beside(run) for _ in range(min(os.cpu_count() or 1, len(numbered)) - 1)]
    try:
        run()
    finally:
        for other in others:
            other._thread.join()  # noqa: SLF001 - of this module
    for other in others:
        other.result()
    return [results[number] for number, _ in numbered]
