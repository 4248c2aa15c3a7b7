"""The root shell on the serial console of a devtools image."""

from __future__ import annotations

import base64
import re
import socket
from pathlib import Path

_SECONDS = 600
# Printed in two halves, so that the echo of the command is not taken for its output.
_ASKED = "printf '\\n%s%s\\n' begin- answer; {{ {command}; }} 2>&1; printf '\\n%s%s%s.\\n' end- answer- $?\n"
_ANSWER = re.compile(r"begin-answer\r?\n(.*?)\r?\nend-answer-(\d+)\.", re.DOTALL)

_MOST = 4095
"""Characters that a terminal takes in a line, with its end (N_TTY); those beyond are lost, and the line's end with them or not."""
_PIECE = 2048

_PROBE = "printf '\\n%s%s\\n' rea dy\n"
_PROBE_SECONDS = 5


def _wait_for_the_shell(shell: socket.socket, seconds: float) -> None:
    """The terminal forgets what was typed before the shell took it over: asked again until it answers."""
    said = b""
    shell.settimeout(_PROBE_SECONDS)
    for _ in range(max(1, int(seconds / _PROBE_SECONDS))):
        shell.sendall(_PROBE.encode())
        try:
            while b"\nready\r\n" not in said:
                said += shell.recv(65536)
        except TimeoutError:
            continue
        return
    raise TimeoutError(f"the console has no shell; it said: {said[-500:]!r}")


def ask(console: Path, command: str, *, seconds: float = _SECONDS) -> str:
    """What a command prints there, on both outputs; what the kernel prints in between as well. Its exit status does not matter.

    One that is longer than a line can be is handed over in pieces, which the shell puts together.
    """
    line = _ASKED.format(command=command)
    if len(line.encode()) > _MOST:
        packed = base64.b64encode(command.encode()).decode()
        ask(console, "asked=", seconds=seconds)
        for start in range(0, len(packed), _PIECE):
            ask(console, f"asked=${{asked}}{packed[start : start + _PIECE]}", seconds=seconds)
        return ask(console, 'eval "$(printf %s "$asked" | base64 -d)"', seconds=seconds)
    with socket.socket(socket.AF_UNIX) as shell:
        shell.connect(str(console))
        _wait_for_the_shell(shell, seconds)
        shell.settimeout(seconds)
        shell.sendall(line.encode())
        said = b""
        while (found := _ANSWER.search(said.decode("utf-8", "replace"))) is None:
            said += shell.recv(65536)
    return found[1].replace("\r", "").strip()
