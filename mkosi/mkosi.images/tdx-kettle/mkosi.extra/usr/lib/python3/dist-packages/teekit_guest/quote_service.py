"""quote.service: quotes for kettles, over HTTP on loopback.

GET /quote?report_data=... or POST /quote with {"report_data": "..."}: 64 bytes, in hexadecimal or base64. The answer is
{"quote": base64, "tee_type": "tdx", "report_data": hexadecimal}; 400 where the question is wrong, 503 where there is no
quote to be had. GET /healthz says that the service is there.
"""

from __future__ import annotations

import base64
import json
import string
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from . import layout, log, tsm
from .refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

TEE_TYPES = {"tdx_guest": "tdx", "sev_guest": "sev-snp"}
MOST_BODY_BYTES = 4096
SECONDS = 30  # without a byte of the question
AT_ONCE = 8


class WrongQuestion(Refused):
    """The client's mistake."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    fields: dict[str, str]


class Server(ThreadingHTTPServer):
    """`quote` makes a quote, one at a time; at most AT_ONCE wait for it."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, quote: Callable[[bytes], tsm.Quote], logger: Logger) -> None:
        super().__init__(("127.0.0.1", port), Exchange)
        self.quote = quote
        self.logger = logger
        self.places = threading.BoundedSemaphore(AT_ONCE)
        self.turn = threading.Lock()


class Exchange(BaseHTTPRequestHandler):
    server: Server
    timeout = SECONDS
    server_version = "quote"
    sys_version = ""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/healthz":
            self._send(Answer(200, {"status": "ok"}))
        else:
            self._answer(parts.path, lambda: _from_query(parts.query))

    def do_POST(self) -> None:
        self._answer(self.path, lambda: _from_body(self._body()))

    def _answer(self, path: str, question: Callable[[], bytes]) -> None:
        if path != "/quote":
            self._send(Answer(404, {"error": "not found"}))
            return
        try:
            self._send(self._quoted(question()))
        except WrongQuestion as refusal:
            self._send(Answer(400, {"error": str(refusal)}))

    def _quoted(self, report_data: bytes) -> Answer:
        if not self.server.places.acquire(blocking=False):
            return Answer(503, {"error": "too many questions at once"})
        try:
            with self.server.turn:
                made = self.server.quote(report_data)
        except Refused as refusal:
            self.server.logger.error("%s", refusal)
            return Answer(503, {"error": str(refusal)})
        finally:
            self.server.places.release()
        fields = {
            "quote": base64.b64encode(made.content).decode(),
            "tee_type": TEE_TYPES.get(made.provider, made.provider),
        }
        return Answer(200, {**fields, "report_data": report_data.hex()})

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length[:9]) > MOST_BODY_BYTES:
            raise WrongQuestion(f"the body must say its length, at most {MOST_BODY_BYTES} bytes")
        return self.rfile.read(int(length))

    def _send(self, answer: Answer) -> None:
        body = json.dumps(answer.fields).encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A line for each request would let an app fill the log."""


def _from_query(query: str) -> bytes:
    try:
        # In a query, "+" stands for a space; base64 knows no space, so it can only be meant as "+".
        given = parse_qs(query, strict_parsing=True, max_num_fields=4).get("report_data", [])
    except ValueError:
        given = []
    if len(given) != 1:
        raise WrongQuestion("the query must have report_data=..., once")
    return report_data(given[0].replace(" ", "+"))


def _from_body(body: bytes) -> bytes:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise WrongQuestion("the body is not JSON") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("report_data"), str):
        raise WrongQuestion('the body must be {"report_data": "..."}')
    return report_data(fields["report_data"])


def report_data(text: str) -> bytes:
    """64 bytes in hexadecimal, or base64 in either alphabet, with or without padding."""
    if len(text) == 2 * tsm.REPORT_DATA_BYTES and not set(text) - set(string.hexdigits):
        return bytes.fromhex(text)
    usual = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = base64.b64decode(usual + "=" * (-len(usual) % 4), validate=True)
    except ValueError:
        decoded = b""
    if len(decoded) != tsm.REPORT_DATA_BYTES:
        raise WrongQuestion(f"report_data must be {tsm.REPORT_DATA_BYTES} bytes in hexadecimal or base64")
    return decoded


def main() -> int:
    with log.opened("quote") as logger, Server(layout.QUOTE_PORT, tsm.quote, logger) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
