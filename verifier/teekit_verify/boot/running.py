"""A running QEMU: started, asked how it is, and ended with the block."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Protocol

from teekit_verify.boot.qmp import QmpClient
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.process import last_lines, started

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_CONNECT_SECONDS = 120


class MachineEndedError(TeekitError):
    """QEMU ended or gave up before the wanted point: the accelerator cannot run this guest, or the guest ended itself.

    `what` happened, without what QEMU and the guest printed.
    """

    def __init__(self, what: str, printed: str) -> None:
        super().__init__(what + printed)
        self.what = what


class Program(Protocol):
    """What is asked of a running QEMU."""

    def poll(self) -> int | None: ...

    def kill(self) -> None: ...

    def wait(self) -> int: ...


@contextlib.contextmanager
def running_qemu(argv: Sequence[str], control: Path, *, log: Path) -> Iterator[tuple[Program, QmpClient]]:
    """Start QEMU, whose command line makes `control` its QMP socket. Raises MachineEndedError if it does not start."""
    with contextlib.ExitStack() as running:
        process = running.enter_context(started(argv, log=log))
        try:
            qmp = _connected(process, control)
        except TeekitError as error:
            running.close()  # only then the log has all it said
            raise MachineEndedError("QEMU does not start", in_words(last_lines(log))) from error
        with qmp:
            yield process, qmp


def _connected(process: Program, control: Path) -> QmpClient:
    """QEMU makes its socket before it has taken its whole command line, and may still end. Raises TeekitError."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    while not control.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise TeekitError("QEMU makes no control socket")
        time.sleep(0.05)
    return QmpClient(control)


def in_words(lines: Sequence[str]) -> str:
    """The end of an error's message: the last lines of a log or console."""
    return "; the last lines were:\n" + "\n".join(f"  | {line}" for line in lines) if lines else "; it printed nothing"
