"""A small HTTP server on loopback that serves bytes, and misbehaves path by path as a test asks it to."""

from __future__ import annotations

import random
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


PORTS = range(10000, 20000)
"""Below those that the kernel gives out itself: once a server has gone, no other gets its port, and no connection to it ends up
connected to itself. Those of builders.guest.free_ports are others.
"""


class Server(ThreadingHTTPServer):
    """`files` are served with ranges (RFC 9110, section 14); `answers` take precedence, and `otherwise` to all other paths; `requests` is
    what was asked.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Exchange)
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, Callable[[Exchange], None]] = {}
        self.otherwise: Callable[[Exchange], None] | None = None
        self.requests: list[tuple[str, str | None]] = []
        self.stopping = threading.Event()

    def server_bind(self) -> None:
        host, port = self.server_address[:2]
        for number in [] if port else random.SystemRandom().sample(PORTS, 100):
            self.server_address = (host, number)
            with suppress(OSError):
                return super().server_bind()
        return super().server_bind()

    def address(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is none of a test's business."""


class Exchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.requests.append((self.path, wanted))
        answer = self.server.answers.get(self.path, self.server.otherwise)
        content = self.server.files.get(self.path)
        if answer is not None:
            answer(self)
        elif content is None:
            self.send_error(404)
        else:
            self.serve(content, wanted)

    def serve(self, content: bytes, wanted: str | None = None) -> None:
        """The whole content, or from `bytes=N-` on; 416 if there is nothing there."""
        start = 0 if wanted is None else int(wanted.removeprefix("bytes=").removesuffix("-"))
        if wanted is not None and start >= len(content):
            self.send_error(416)
            return
        self.send_response(200 if wanted is None else 206)
        if wanted is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])

    def cut(self, content: bytes, *, after: int) -> None:
        """Promise everything that was asked for, send `after` bytes of it and hang up."""
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : start + after])

    def redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def stall(self, content: bytes, *, after: int) -> None:
        """Send `after` bytes, then nothing until the server stops."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:after])
        self.server.stopping.wait(600)

    def trickle(self, content: bytes, *, pause_seconds: float) -> None:
        """One byte at a time."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        for number in content:
            self.wfile.write(bytes([number]))
            if self.server.stopping.wait(pause_seconds):
                return

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(port: int = 0) -> Iterator[Server]:
    server = Server(port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()
