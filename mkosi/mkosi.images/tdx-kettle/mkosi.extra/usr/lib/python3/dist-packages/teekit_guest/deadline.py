"""Reading from a socket with a limit for the whole: a socket's own time-out is one for each packet, and one byte renews it."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the question took too long")
        self._sock.settimeout(left)
        return self._sock.recv_into(buffer)


def limited(sock: socket.socket, seconds: float) -> io.BufferedReader:
    """A file to read from, which raises TimeoutError when `seconds` from now are over."""
    return io.BufferedReader(_Reader(sock, seconds))
