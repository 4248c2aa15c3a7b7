"""Reading from a socket with limits for the whole: a socket's own time-out is one for each packet, and one byte renews it; and
http.server takes a hundred header lines of 64 KiB, of which its parser makes ten times as much.
"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from _typeshed import WriteableBuffer


class TooLong(OSError):  # noqa: N818 -- beside TimeoutError
    """Nobody has so much to ask."""


class _Reader(io.RawIOBase):
    def __init__(self, sock: socket.socket, seconds: float, most_bytes: int) -> None:
        self._sock = sock
        self._left = most_bytes
        self._until = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the question took too long")
        if self._left == 0:
            raise TooLong("the question is too long")
        self._sock.settimeout(left)
        read = self._sock.recv_into(buffer, min(self._left, len(memoryview(buffer))))
        self._left -= read
        return read


def limited(sock: socket.socket, seconds: float, most_bytes: int) -> io.BufferedReader:
    """A file to read from, which raises TimeoutError when `seconds` from now are over, and TooLong when more than `most_bytes` are read."""
    return io.BufferedReader(_Reader(sock, seconds, most_bytes))
