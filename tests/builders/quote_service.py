"""The guest's quote service on this machine: a socket and an app for each kettle."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from teekit_guest import layout
from teekit_guest.quote_service import Server
from teekit_guest.serving import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from teekit_guest.tsm import Quote


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("kettle", timeout=600)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(600)
        self.sock.connect(str(self.path))


@dataclass(frozen=True)
class Machine:
    servers: tuple[Server, ...]

    def connection(self, kettle: int = 0) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(600)
        sock.connect(str(layout.quote_socket(kettle)))
        return sock

    def ask(
        self, method: str, path: str, body: bytes | None = None, kettle: int = 0, length: str | None = None
    ) -> tuple[int, Any]:
        connection = _Connection(layout.quote_socket(kettle))
        try:
            connection.request(method, path, body, {} if length is None else {"Content-Length": length})
            with connection.getresponse() as answer:
                assert answer.getheader("Content-Type") == "application/json"
                return answer.status, json.loads(answer.read())
        finally:
            connection.close()


def app_of(kettle: int) -> bytes:
    return f"app of kettle {kettle}".encode()


@contextmanager
def service(quote: Callable[[bytes], Quote], kettles: int = 1, *, hasty: bool = False) -> Iterator[Machine]:
    """Sockets in a short folder: a path of one has 107 bytes at most. Without the limit on the time of a question, unless it is `hasty`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(patch.object(layout, "KETTLE_FOLDERS", folder / "kettle"))
        stack.enter_context(patch.object(layout, "QUOTE_FOLDERS", folder / "quote"))
        servers, turns = [], Turns()
        for kettle in range(kettles):
            layout.app(kettle).parent.mkdir(parents=True)
            layout.app(kettle).write_bytes(app_of(kettle))
            layout.quote_socket(kettle).parent.mkdir(parents=True)
            logger = logging.getLogger("test_quote")
            server = stack.enter_context(Server(kettle, layout.quote_socket(kettle), quote, turns, logger))
            server.seconds = server.seconds if hasty else 600.0
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            servers.append(server)
        yield Machine(tuple(servers))
