"""What the HTTP services of this machine have in common: whoever asks, threads, time and bytes have a limit."""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any

from .deadline import limited

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_QUESTION_BYTES = 16 * 1024  # head and body
MOST_DRAINED_BYTES = 64 * 1024
CROWDED = (
    b"HTTP/1.0 503 Service Unavailable\r\nContent-Type: application/json\r\n\r\n"
    + json.dumps({"error": "too many questions at once"}).encode()
)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    fields: Mapping[str, object]


class Turns:
    """The platform makes one quote at a time: for those who ask in the order in which they came, and each stands in line once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: deque[int] = deque()

    @contextmanager
    def of(self, number: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: number not in self._line)
            self._line.append(number)
            self._changed.wait_for(lambda: self._line[0] == number)
        try:
            yield
        finally:
            with self._changed:
                self._line.popleft()
                self._changed.notify_all()


class Bounded(ThreadingMixIn):
    """A server with at most `places` questions at once, each of which is read, and answered, within `seconds`."""

    daemon_threads = True
    block_on_close = False
    places: threading.BoundedSemaphore
    seconds: float

    def process_request(self, request: Any, client_address: Any) -> None:
        """Turned away before anything is read, and without a thread."""
        if self.places.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        self.turn_away(request)

    def turn_away(self, request: Any) -> None:
        with suppress(OSError):
            request.settimeout(0)
            request.send(CROWDED)
        self.shutdown_request(request)  # type: ignore[attr-defined]

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up, or takes too long, is no news."""


class Exchange(BaseHTTPRequestHandler):
    """One question, one answer in JSON. The server is a Bounded one."""

    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = limited(self.connection, self._seconds, MOST_QUESTION_BYTES)

    def finish(self) -> None:
        super().finish()
        # What was sent and not read would cost the other side the answer.
        with suppress(OSError):
            self.connection.settimeout(0)
            self.connection.recv(MOST_DRAINED_BYTES)

    def send_answer(self, answer: Answer) -> None:
        body = json.dumps(answer.fields).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        # In one piece, so that the limit is for all of it (socket.sendall).
        self.connection.settimeout(self._seconds)
        self.wfile.write(body)

    @property
    def _seconds(self) -> float:
        server: Any = self.server
        return float(server.seconds)

    def log_message(self, *_: object) -> None:
        """A line for each request would let whoever asks fill the log."""
