"""Commands run as on a terminal: on a pseudo-terminal of so many columns."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Shown:
    status: int
    text: str
    """With escape sequences."""

    @property
    def lines(self) -> list[str]:
        return ESCAPE.sub("", self.text).replace("\r\n", "\n").splitlines()


def on_terminal(*argv: str, columns: int = 80, environment: Mapping[str, str] = {}) -> Shown:
    """Standard output and standard error are one terminal; standard input has nothing."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR"}}
    with subprocess.Popen(
        [sys.executable, "-m", "teekit_verify", *argv],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        env={**inherited, "TERM": "xterm", **environment},
    ) as process:
        os.close(terminal)
        text = _read(master)
    return Shown(process.returncode, text.decode())


def _read(master: int) -> bytes:
    """Until the other side has closed it, which Linux says as EIO."""
    found = b""
    try:
        while piece := os.read(master, 1 << 16):
            found += piece
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    finally:
        os.close(master)
    return found
