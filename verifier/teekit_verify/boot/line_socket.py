"""A Unix socket of QEMU's that takes and answers lines: what its control (QMP) and qtest sockets have in common."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Self

from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_TIMEOUT_SECONDS = 60
_ATTEMPTS, _PAUSE_SECONDS = 1200, 0.05  # a minute: a busy machine stops where it likes


class LineSocket:
    """One connection. Use it as a context manager.

    Raises TeekitError if nobody accepts it; sending and receiving raise OSError, also when QEMU is silent for 60 s.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_TIMEOUT_SECONDS)
        try:
            self._connect(path)
        except OSError as error:
            self._socket.close()
            raise TeekitError(f"QEMU's {name} socket does not answer: {error}") from error
        self._lines = self._socket.makefile("rb")

    def _connect(self, path: Path) -> None:
        """QEMU's socket has its name a moment before anybody listens."""
        for _ in range(_ATTEMPTS):
            try:
                return self._socket.connect(str(path))
            except ConnectionRefusedError:
                time.sleep(_PAUSE_SECONDS)
        return self._socket.connect(str(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._socket.close()

    def send(self, line: bytes) -> None:
        self._socket.sendall(line + b"\n")

    def receive(self, limit_bytes: int) -> bytes:
        """The next line with its newline; without one if the connection ended or the line is longer than the limit."""
        return self._lines.readline(limit_bytes)
