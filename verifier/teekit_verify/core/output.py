"""What programs print, taken with bounds: a program that floods its output must not fill our memory or the disk."""

from __future__ import annotations

import os
import selectors
import threading
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_STDOUT_BYTES = (
    64 << 20
)  # the longest we ask for is the summary of a project, and the index records of its packages
MOST_LOG_BYTES = 256 << 20  # a kernel's build, which is the longest log of ours, prints some 3 MiB
TAIL_BYTES = 64 << 10
_CHUNK_BYTES = 1 << 16
_TICK_SECONDS = 0.5
_SHORTEST_PAUSE_SECONDS = 0.001


class TooMuchError(Exception):
    """More was printed than is taken, or more was used than is given. The text says what."""


class Sink(Protocol):
    """Takes what is printed, piece by piece. Raises TooMuchError."""

    def take(self, data: bytes) -> None: ...


class Running(Protocol):
    """A program, as subprocess.Popen has it."""

    stdin: IO[bytes] | None

    def poll(self) -> int | None: ...


@dataclass(slots=True)
class Whole:
    """Keeps everything."""

    most_bytes: int = MOST_STDOUT_BYTES
    data: bytearray = field(default_factory=bytearray)

    def take(self, data: bytes) -> None:
        if len(self.data) + len(data) > self.most_bytes:
            raise TooMuchError(f"printed more than {self.most_bytes} bytes")
        self.data += data


@dataclass(slots=True)
class Tail:
    """Keeps the end, and drains what comes before: nobody reads more of what a program complains of."""

    data: bytearray = field(default_factory=bytearray)

    def take(self, data: bytes) -> None:
        self.data += data
        del self.data[:-TAIL_BYTES]


@dataclass(slots=True)
class Log:
    """Appends to a file."""

    stream: IO[bytes]
    most_bytes: int = MOST_LOG_BYTES
    taken: int = 0

    def take(self, data: bytes) -> None:
        self.taken += len(data)
        if self.taken > self.most_bytes:
            raise TooMuchError(f"printed more than {self.most_bytes} bytes")
        self.stream.write(data)
        self.stream.flush()


def exchange(
    process: Running,
    sinks: Mapping[IO[bytes], Sink],
    stdin: bytes | None,
    *,
    timeout_seconds: float,
    watch: Callable[[], str | None] = lambda: None,
    ended: Callable[[], None] = lambda: None,
) -> None:
    """Feed a program and take what it prints, until it has ended and its pipes are closed or silent. Then `ended` is called.

    Raises TimeoutError, and TooMuchError for what a sink or `watch`, asked twice a second, does not allow.
    """
    deadline = time.monotonic() + timeout_seconds
    left = memoryview(stdin or b"")
    has_ended = False
    with selectors.DefaultSelector() as selector:
        for stream in sinks:
            selector.register(stream, selectors.EVENT_READ)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            seconds = deadline - time.monotonic()
            if not has_ended and process.poll() is not None:
                has_ended = True
                ended()
            if seconds <= 0 and not has_ended:  # it was not late where nobody looked in time, on a busy machine
                raise TimeoutError
            ready = selector.select(max(0, min(_TICK_SECONDS, seconds)))
            if has_ended and not ready:  # what it left running in another group holds the pipes, and is not waited for
                return
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    left = _feed(selector, process.stdin, left)
                else:
                    _take(selector, key.fileobj, sinks)
            _ask(watch)
    if not has_ended:
        _wait(process, deadline, watch)
        ended()


def _wait(process: Running, deadline: float, watch: Callable[[], str | None]) -> None:
    """For a program that has closed its pipes: mostly it is about to end, but it may go on working, and is still watched."""
    pause = _SHORTEST_PAUSE_SECONDS
    while process.poll() is None:
        if time.monotonic() >= deadline:
            raise TimeoutError
        time.sleep(pause)
        pause = min(2 * pause, _TICK_SECONDS)
        _ask(watch)


def _ask(watch: Callable[[], str | None]) -> None:
    if (problem := watch()) is not None:
        raise TooMuchError(problem)


def _feed(selector: selectors.BaseSelector, stdin: IO[bytes], left: memoryview) -> memoryview:
    try:
        left = left[os.write(stdin.fileno(), left[:_CHUNK_BYTES]) :] if left else left
    except BrokenPipeError:
        left = left[:0]
    if not left:
        selector.unregister(stdin)
        stdin.close()
    return left


def _take(selector: selectors.BaseSelector, stream: object, sinks: Mapping[IO[bytes], Sink]) -> None:
    for known, sink in sinks.items():
        if known is stream:
            data = os.read(known.fileno(), _CHUNK_BYTES)
            if not data:
                selector.unregister(known)
            else:
                sink.take(data)


class Pump:
    """Takes what a program prints that works beside us, in a thread. Ends it by `end` when that is too much."""

    def __init__(self, stream: IO[bytes], sink: Sink, end: Callable[[], None]) -> None:
        self._stream, self._sink, self._end = stream, sink, end
        self.problem: str | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while data := os.read(self._stream.fileno(), _CHUNK_BYTES):
                self._sink.take(data)
        except TooMuchError as error:
            self.problem = str(error)
            self._end()
        except (OSError, ValueError) as error:  # ValueError: the stream or the log was closed under us
            self.problem = self.problem or f"cannot be logged: {error}"

    def finish(self, seconds: float = 5.0) -> None:
        """Wait until all is taken; what the program left running may hold the pipe, and is not waited for."""
        self._thread.join(seconds)
        if not self._thread.is_alive():
            self._stream.close()
