"""One question to a program of this machine that listens on a Unix socket, and its answer."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from pathlib import Path

_SIZE_BYTES = 4


def exchange(path: Path, question: bytes, *, most_bytes: int, timeout_seconds: float) -> bytes:
    """Both have their length before them, as a big-endian number of four bytes. Raises OSError, TeekitError for an answer longer than `most_bytes`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_seconds)
        connection.connect(str(path))
        connection.sendall(len(question).to_bytes(_SIZE_BYTES) + question)
        size = int.from_bytes(_exactly(connection, _SIZE_BYTES))
        if size > most_bytes:
            raise TeekitError(f"{path}: answers with {size} bytes, expected at most {most_bytes}")
        return _exactly(connection, size)


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = connection.recv(count - len(found))
        if not part:
            raise ConnectionAbortedError("the answer was cut off")
        found += part
    return found
