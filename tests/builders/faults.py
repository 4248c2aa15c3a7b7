"""What servers do on a bad day, as answers for `builders.http`."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from builders.http import Exchange


def reset(exchange: Exchange) -> None:
    """Without a word, and without the usual goodbye of TCP."""
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.connection.close()


def silent(exchange: Exchange) -> None:
    """Nothing, until the server stops."""
    exchange.server.stopping.wait(60)


def status(number: int, **headers: str) -> Callable[[Exchange], None]:
    """That status, and no content; `_` in the names of headers is `-`."""

    def answer(exchange: Exchange) -> None:
        exchange.send_response(number)
        for name, value in headers.items():
            exchange.send_header(name.replace("_", "-"), value)
        exchange.send_header("Content-Length", "0")
        exchange.end_headers()

    return answer


def failing(times: int, fault: Callable[[Exchange], None], content: bytes) -> Callable[[Exchange], None]:
    """An answer that is a fault so many times, and then the content."""
    asked = iter(range(1000))
    return lambda exchange: fault(exchange) if next(asked) < times else exchange.serve(content)
