"""The only place that starts external programs: argv, log file, timeout, process group, replay command on failure."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Self

from teekit_verify.core.errors import ToolFailedError, ToolMissingError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.core.output import (
    MOST_STDOUT_BYTES,
    TAIL_BYTES,
    Log,
    Pump,
    Sink,
    Tail,
    TooMuchError,
    Whole,
    exchange,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

_TERM_GRACE_SECONDS = 10
_TAIL_LINES = 20
_MAX_LINE = 240
_DOCTOR_HINT = "Run `teekit-verify doctor`."
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@frozen
class Completed:
    """A finished program: its argv, exit status, and standard output if it was captured (else empty)."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes


def find_program(name: str, *, hint: str) -> str:
    """The absolute path of a program on PATH. Raises ToolMissingError with `hint`."""
    path = shutil.which(name)
    if path is None:
        raise ToolMissingError(f"the program {name!r} is not installed", hint=hint)
    return path


def run(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    log: Path | None = None,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    accept: tuple[int, ...] = (0,),
    pass_fds: tuple[int, ...] = (),
    most_bytes: int = MOST_STDOUT_BYTES,
    watch: Callable[[], str | None] = lambda: None,
    led_in_by: Sequence[str] = (),
) -> Completed:
    """Run a program to its end in a process group of its own, and end the group on a timeout or Ctrl-C, and with the program.

    With `log`, stdout and stderr are appended to that file; without it stdout is returned, and errors show both.
    A program that prints more than `most_bytes` (to a log: MOST_LOG_BYTES) is ended, and so is one about which `watch`,
    asked twice a second, has something to say: what it used too much of. `led_in_by` is the beginning of the command line that
    leads into something that ends with us: who runs the step again does without.
    Raises ToolMissingError, or ToolFailedError for an exit status outside `accept`, a signal, the timeout, or too much.
    """
    stdout, stderr = Whole(most_bytes), Tail()
    with _LogFile(log) as stream, _DelayedInterrupt() as interrupt:
        process = _popen(
            [*led_in_by, *argv],
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stderr=subprocess.PIPE if stream is None else subprocess.STDOUT,
            environment=environment,
            cwd=cwd,
            pass_fds=pass_fds,
        )
        with process:  # closes its pipes
            try:
                interrupt.let_through()
                assert process.stdout is not None  # noqa: S101 - it is a pipe
                sinks: dict[IO[bytes], Sink] = {process.stdout: stdout if stream is None else Log(stream)}
                if process.stderr is not None:
                    sinks[process.stderr] = stderr
                # What it leaves behind is ended and not waited for: a child of unshare(1) waits for ever
                # where it may not make a namespace.
                exchange(
                    process,
                    sinks,
                    stdin,
                    timeout_seconds=timeout_seconds,
                    watch=watch,
                    ended=lambda: _signal_group(process, signal.SIGKILL),
                )
            except (TimeoutError, TooMuchError) as error:
                end_group(process)
                problem = (
                    str(error) if isinstance(error, TooMuchError) else f"did not finish within {timeout_seconds:g} s"
                )
                output = bytes(stdout.data[-TAIL_BYTES:] + stderr.data)
                raise _failure(argv, problem, log, output, stopped=True) from None
            except BaseException:
                end_group(process)
                raise
    if process.returncode not in accept:
        problem = _status_in_words(process.returncode)
        raise _failure(argv, problem, log, bytes(stdout.data[-TAIL_BYTES:] + stderr.data))
    return Completed(tuple(argv), process.returncode, bytes(stdout.data))


@contextmanager
def running(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    log: Path,
    environment: Mapping[str, str] | None = None,
    led_in_by: Sequence[str] = (),
) -> Iterator[Callable[[], None]]:
    """Start a program that works beside the block, and is ended with it. The block is given what waits for its end.

    That raises ToolFailedError as `run` does. Output is appended to `log`; `led_in_by` is as there.
    """
    with _LogFile(log) as stream, _DelayedInterrupt() as interrupt:
        process = _popen([*led_in_by, *argv], environment=environment)
        pump = _pump(process, stream)

        def wait() -> None:
            try:
                process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                raise _failure(argv, f"did not finish within {timeout_seconds:g} s", log, b"", stopped=True) from None
            pump.finish()
            if pump.problem or process.returncode:
                raise _failure(argv, pump.problem or _status_in_words(process.returncode), log, b"")

        try:
            interrupt.let_through()
            yield wait
        finally:
            if process.poll() is None:
                end_group(process)
            pump.finish()


@contextmanager
def started(argv: Sequence[str], *, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a long-lived program (QEMU, swtpm) in a process group of its own, and end it with the block."""
    with log.open("ab") as stream, _DelayedInterrupt() as interrupt:
        process = _popen(argv)
        pump = _pump(process, stream)
        try:
            interrupt.let_through()
            yield process
        finally:
            end_group(process)
            pump.finish()


def _pump(process: subprocess.Popen[bytes], log: IO[bytes] | None) -> Pump:
    """Log what a program prints that works beside us; the program ends when that is too much."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    return Pump(process.stdout, Tail() if log is None else Log(log), lambda: _signal_group(process, signal.SIGKILL))


def _popen(
    argv: Sequence[str],
    *,
    stderr: int = subprocess.STDOUT,
    stdin: int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: tuple[int, ...] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a session, and so a process group, of its own; its outputs are pipes, or one."""
    try:
        return subprocess.Popen(  # noqa: S603
            list(argv),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            env=None if environment is None else dict(environment),
            cwd=cwd,
            start_new_session=True,
            pass_fds=pass_fds,
        )
    except OSError as error:
        raise _not_started(argv, error) from error


def _not_started(argv: Sequence[str], error: OSError) -> ToolMissingError | ToolFailedError:
    if isinstance(error, FileNotFoundError) and error.filename == argv[0]:
        return ToolMissingError(f"the program {argv[0]!r} is not installed", hint=_DOCTOR_HINT)
    return ToolFailedError(argv[0], f"cannot be started: {error.strerror}: {error.filename}", hint=_DOCTOR_HINT)


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program and everything it started: SIGTERM, then SIGKILL after 10 seconds, or for what outlives the program.

    SIGKILL at once where somebody asks a second time.
    """
    try:
        _signal_group(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TERM_GRACE_SECONDS)
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def become(argv: Sequence[str]) -> None:
    """Replace this process by the program: for interactive shells, which need the terminal."""
    path = find_program(argv[0], hint=_DOCTOR_HINT)
    os.execv(path, list(argv))  # noqa: S606


def last_lines(log: Path, count: int = _TAIL_LINES) -> list[str]:
    """The last lines of a log file, made safe for a terminal; empty if there is no such file."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
            return _tail(stream.read(TAIL_BYTES), count)
    except FileNotFoundError:
        return []


def _tail(output: bytes, count: int = _TAIL_LINES) -> list[str]:
    lines = output[-TAIL_BYTES:].decode("utf-8", "replace").split("\n")
    return [_shortened(line) for line in (lines if lines[-1] else lines[:-1])[-count:]]


def _shortened(line: str) -> str:
    text = printable(line)
    return text if len(text) <= _MAX_LINE else f"{text[:_MAX_LINE]} [...]"


class _LogFile:
    """An optional log file opened for appending."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> IO[bytes] | None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._path.open("ab")
        return self._stream

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()


class _DelayedInterrupt:
    """Holds Ctrl-C back, and what else is to end us: between a program's start and the `try` that ends it, it would leave the program running."""

    def __init__(self) -> None:
        self._caught: list[tuple[int, FrameType | None]] = []
        self._before: dict[int, Callable[[int, FrameType | None], object]] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _INTERRUPTS:
                before = signal.getsignal(number)
                if callable(before):
                    self._before[number] = before
                    signal.signal(number, lambda number, frame: self._caught.append((number, frame)))
        return self

    def let_through(self) -> None:
        """Handle what was held back, and everything from now on."""
        before, self._before = self._before, {}
        for number, handler in before.items():
            signal.signal(number, handler)
        while before and self._caught:
            number, frame = self._caught.pop()
            before[number](number, frame)

    def __exit__(self, *_: object) -> None:
        self.let_through()


def _status_in_words(status: int) -> str:
    if status >= 0:
        return f"failed with exit status {status}"
    try:
        return f"was ended by signal {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _failure(
    argv: Sequence[str], problem: str, log: Path | None, output: bytes, *, stopped: bool = False
) -> ToolFailedError:
    """`output` is what it printed: some programs give their reasons on standard output."""
    lines = last_lines(log) if log is not None else _tail(output)
    parts = [problem]
    if lines:
        parts.append("its last lines were:\n" + "\n".join(f"  | {line}" for line in lines))
    if log is not None:
        parts.append(f"the whole log is {log}")
    return ToolFailedError(
        argv[0],
        "; ".join(parts),
        hint=f"To run just this step again: {_as_typed(argv)}",
        stopped=stopped,
        output=lines,
    )


def _as_typed(argv: Sequence[str]) -> str:
    """One line to paste into bash, whatever is in the words: what is not printable becomes $'...' (bash(1), QUOTING)."""
    return " ".join(shlex.quote(word) if word.isprintable() else _in_escapes(word) for word in argv)


def _in_escapes(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"
