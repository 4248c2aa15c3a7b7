"""A small client of QEMU's machine protocol: JSON lines over a Unix socket (QEMU documentation, "QMP Specification")."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from teekit_verify.boot.line_socket import LineSocket
from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from pathlib import Path

_MAX_LINE_BYTES = 1 << 20
_MAX_LINES = 1000


class QmpClient(LineSocket):
    """One connection, in command mode. Use it as a context manager. Every failure is a TeekitError."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "control")
        try:
            self._read()  # the greeting
            self.execute("qmp_capabilities")
        except (OSError, TeekitError) as error:
            self.close()
            raise TeekitError(f"QEMU's control socket does not answer: {error}") from error

    def execute(self, command: str, **arguments: object) -> object:
        """Run one command and return what it returns. Events that arrive in between are dropped."""
        message = {"execute": command, **({"arguments": arguments} if arguments else {})}
        try:
            self.send(json.dumps(message).encode())
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
        line = self.receive(_MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise TeekitError("the connection to QEMU ended")
        try:
            message = json.loads(line)
        except ValueError as error:
            raise TeekitError(f"QEMU did not send JSON: {line[:80]!r}") from error
        if not isinstance(message, dict):
            raise TeekitError(f"QEMU did not send a JSON object: {line[:80]!r}")
        return message
