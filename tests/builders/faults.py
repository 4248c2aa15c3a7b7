"""What servers do on a bad day, as answers for `builders.http`."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any

from teekit_verify.core.download import Network, Patience, Proxies

if TYPE_CHECKING:
    from collections.abc import Callable

    from builders.http import Exchange

PATIENT = Patience(first_pause=0.01, silence=600.0, brief=400.0, shortest=200.0)
"""Of a test: a good server must not pass for a silent one because the machine is busy."""


class Hasty(Network):
    """Bears the silence of some only for a moment: of those whose address begins so, that many times."""

    def __init__(self, proxies: Proxies, hanging: dict[str, int], seconds: float) -> None:
        super().__init__(proxies)
        self._hanging, self._seconds = hanging, seconds

    def _request(self, url: str, headers: Any, patience_seconds: float) -> Any:
        for begin, left in self._hanging.items():
            if url.startswith(begin) and left > 0:
                self._hanging[begin], patience_seconds = left - 1, self._seconds
        return super()._request(url, headers, patience_seconds)


def reset(exchange: Exchange) -> None:
    """Without a word, and without the usual goodbye of TCP."""
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    exchange.connection.close()


def silent(exchange: Exchange) -> None:
    """Nothing, until the server stops."""
    exchange.server.stopping.wait(600)


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
