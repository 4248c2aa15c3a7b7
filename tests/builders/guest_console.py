"""The root shell on the serial console of a devtools image."""

from __future__ import annotations

import re
import socket
from pathlib import Path

_SECONDS = 120
# Printed in two halves, so that the echo of the command is not taken for its output.
_ASKED = "printf '\\n%s%s\\n' begin- answer; {{ {command}; }} 2>&1; printf '\\n%s%s%s.\\n' end- answer- $?\n"
_ANSWER = re.compile(r"begin-answer\r?\n(.*?)\r?\nend-answer-(\d+)\.", re.DOTALL)


def ask(console: Path, command: str, *, seconds: float = _SECONDS) -> str:
    """What a command prints there, on both outputs; what the kernel prints in between as well. Its exit status does not matter."""
    with socket.socket(socket.AF_UNIX) as shell:
        shell.settimeout(seconds)
        shell.connect(str(console))
        shell.sendall(_ASKED.format(command=command).encode())
        said = b""
        while (found := _ANSWER.search(said.decode("utf-8", "replace"))) is None:
            said += shell.recv(65536)
    return found[1].replace("\r", "").strip()
