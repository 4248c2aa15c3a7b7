"""The only place that starts external programs: argv, log file, timeout, process group, replay command on failure."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from teekit_verify.core.errors import ToolFailedError, ToolMissingError, printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TERM_GRACE_SECONDS = 10
_TAIL_LINES = 20
_MAX_LINE = 240


@dataclass(frozen=True, slots=True)
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
) -> Completed:
    """Run a program to its end in a process group of its own, and end the group on a timeout or Ctrl-C.

    With `log`, stdout and stderr are appended to that file; without it stdout is returned and stderr kept for errors.
    Raises ToolMissingError, or ToolFailedError for an exit status outside `accept`, a signal, or the timeout.
    """
    with _LogFile(log) as stream:
        try:
            process = subprocess.Popen(  # noqa: S603
                list(argv),
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=stream or subprocess.PIPE,
                stderr=stream or subprocess.PIPE,
                env=None if environment is None else dict(environment),
                cwd=cwd,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        except FileNotFoundError as error:
            raise ToolMissingError(
                f"the program {argv[0]!r} is not installed", hint="Run `teekit-verify doctor`."
            ) from error
        try:
            stdout, stderr = process.communicate(stdin, timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            end_group(process)
            raise _failure(argv, f"did not finish within {timeout_seconds:.0f} s", log, b"") from None
        except BaseException:
            end_group(process)
            raise
    if process.returncode not in accept:
        raise _failure(argv, _status_in_words(process.returncode), log, stderr or b"")
    return Completed(tuple(argv), process.returncode, stdout or b"")


def start(argv: Sequence[str], *, log: Path) -> subprocess.Popen[bytes]:
    """Start a long-lived program (QEMU, swtpm) in a process group of its own; the caller ends it with `end_group`."""
    with log.open("ab") as stream:
        try:
            return subprocess.Popen(  # noqa: S603
                list(argv), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
            )
        except FileNotFoundError as error:
            raise ToolMissingError(
                f"the program {argv[0]!r} is not installed", hint="Run `teekit-verify doctor`."
            ) from error


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program and everything it started: SIGTERM, then SIGKILL after 10 seconds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(_TERM_GRACE_SECONDS)
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def become(argv: Sequence[str]) -> None:
    """Replace this process by the program: for interactive shells, which need the terminal."""
    path = find_program(argv[0], hint="Run `teekit-verify doctor`.")
    os.execv(path, list(argv))  # noqa: S606


def last_lines(log: Path, count: int = _TAIL_LINES) -> list[str]:
    """The last lines of a log file, made safe for a terminal; empty if there is no such file."""
    try:
        with log.open("r", encoding="utf-8", errors="replace") as stream:
            return [_shortened(line) for line in deque(stream, maxlen=count)]
    except FileNotFoundError:
        return []


def _shortened(line: str) -> str:
    text = printable(line.rstrip("\n"))
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


def _status_in_words(status: int) -> str:
    if status >= 0:
        return f"failed with exit status {status}"
    try:
        return f"was ended by signal {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _failure(argv: Sequence[str], problem: str, log: Path | None, stderr: bytes) -> ToolFailedError:
    lines = (
        last_lines(log)
        if log is not None
        else [_shortened(line) for line in stderr.decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]]
    )
    parts = [f"{argv[0]} {problem}"]
    if lines:
        parts.append("its last lines were:\n" + "\n".join(f"  | {line}" for line in lines))
    if log is not None:
        parts.append(f"the whole log is {log}")
    return ToolFailedError("; ".join(parts), hint=f"To run just this step again: {shlex.join(argv)}")
