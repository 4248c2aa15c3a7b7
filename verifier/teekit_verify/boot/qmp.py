"""A small client of QEMU's machine protocol: JSON lines over a Unix socket (QEMU documentation, "QMP Specification")."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Self

from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_ATTEMPTS, _PAUSE_SECONDS = 40, 0.05
_MAX_LINE_BYTES = 1 << 20
_MAX_LINES = 1000
_ANSWER_TIMEOUT_SECONDS = 60


class QmpClient:
    """One connection, in command mode. Use it as a context manager. Every failure is a TeekitError."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_ANSWER_TIMEOUT_SECONDS)
        try:
            self._connect(path)
        except OSError as error:
            self._socket.close()
            raise TeekitError(f"QEMU's control socket does not answer: {error}") from error
        self._lines = self._socket.makefile("rb")
        try:
            self._read()  # the greeting
            self.execute("qmp_capabilities")
        except (OSError, TeekitError) as error:
            self._lines.close()
            self._socket.close()
            raise TeekitError(f"QEMU's control socket does not answer: {error}") from error

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
        self._lines.close()
        self._socket.close()

    def execute(self, command: str, **arguments: object) -> object:
        """Run one command and return what it returns. Events that arrive in between are dropped."""
        message = {"execute": command, **({"arguments": arguments} if arguments else {})}
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
            for _ in range(_MAX_LINES):
                answer = self._read()
                if "error" in answer:
                    raise TeekitError(f"QEMU refuses the command {command!r}: {answer['error']}")
                if "return" in answer:
                    return answer["return"]
        except OSError as error:
            raise TeekitError(f"QEMU does not answer the command {command!r}: {error}") from error
        raise TeekitError(f"QEMU does not answer the command {command!r} within {_MAX_LINES} lines")

    def status(self) -> str:
        """The machine's run state: `running`, `paused`, `internal-error`, `shutdown` and others (QEMU's RunState)."""
        answer = self.execute("query-status")
        return str(answer.get("status")) if isinstance(answer, dict) else "unknown"

    def _read(self) -> dict[str, object]:
        line = self._lines.readline(_MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise TeekitError("the connection to QEMU ended")
        try:
            message = json.loads(line)
        except ValueError as error:
            raise TeekitError(f"QEMU sent no JSON: {line[:80]!r}") from error
        if not isinstance(message, dict):
            raise TeekitError(f"QEMU sent no JSON object: {line[:80]!r}")
        return message
