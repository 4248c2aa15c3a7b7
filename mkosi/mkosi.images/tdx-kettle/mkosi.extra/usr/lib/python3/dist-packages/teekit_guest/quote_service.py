"""quote.service: quotes for kettles, over HTTP on a socket for each of them.

GET /quote?report_data=... or POST /quote with {"report_data": "..."}: 64 bytes, in hexadecimal or base64. What the quote holds
is not these, but a digest of them and of the app that asked (identity.py), so no kettle can speak for another. The answer is
{"quote": base64, "tee_type": "tdx", "report_data": hexadecimal, as in the quote, "app_sha256": hexadecimal, "asked": hexadecimal};
400 where the question is wrong, 503 where there is no quote to be had. GET /healthz says that the service is there, GET /runtime-log what
was measured in this boot (docs/app-identity.md).
"""

from __future__ import annotations

import base64
import json
import string
import sys
import threading
from contextlib import ExitStack
from socketserver import UnixStreamServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from . import identity, layout, log, serving, tsm
from .refusal import Refused
from .serving import Answer, Bounded, Turns

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger
    from pathlib import Path

TEE_TYPES = {"tdx_guest": "tdx", "sev_guest": "sev-snp"}
MOST_BODY_BYTES = 4096
SECONDS = 10.0  # for a whole question; and for a whole answer
AT_ONCE = 4  # questions of one kettle


class WrongQuestion(Refused):
    """The client's mistake."""


class Server(Bounded, UnixStreamServer):
    """What kettle `kettle` asks, at `path`; `quote` makes a quote. At most AT_ONCE questions, so one kettle's take no place of another's."""

    request_queue_size = AT_ONCE

    def __init__(
        self, kettle: int, path: Path, quote: Callable[[bytes], tsm.Quote], turns: Turns, logger: Logger
    ) -> None:
        path.unlink(missing_ok=True)
        super().__init__(str(path), Exchange)
        # Who may reach it, the folder says.
        path.chmod(0o666)
        self.kettle = kettle
        self.app = identity.App(layout.app(kettle))
        self.quote = quote
        self.turns = turns
        self.logger = logger
        self.places = threading.BoundedSemaphore(AT_ONCE)
        self.seconds = SECONDS


class Exchange(serving.Exchange):
    server: Server
    server_version = "quote"

    def address_string(self) -> str:
        return f"kettle {self.server.kettle}"

    def do_GET(self) -> None:  # noqa: N802 -- http.server calls it so
        parts = urlsplit(self.path)
        if parts.path == "/healthz":
            self.send_answer(Answer(200, {"status": "ok"}))
        elif parts.path == "/runtime-log":
            self.send_answer(_runtime_log())
        else:
            self._answer(parts.path, lambda: _from_query(parts.query))

    def do_POST(self) -> None:  # noqa: N802 -- http.server calls it so
        self._answer(self.path, lambda: _from_body(self._body()))

    def _answer(self, path: str, question: Callable[[], bytes]) -> None:
        if path != "/quote":
            self.send_answer(Answer(404, {"error": "not found"}))
            return
        try:
            self.send_answer(self._quoted(question()))
        except WrongQuestion as refusal:
            self.send_answer(Answer(400, {"error": str(refusal)}))

    def _quoted(self, report_data: bytes) -> Answer:
        server = self.server
        try:
            app = server.app.digest()
            bound = identity.bind(app, report_data)
            with server.turns.of(server.kettle):
                made = server.quote(bound)
        except Refused as refusal:
            server.logger.error("kettle %d: %s", server.kettle, refusal)
            return Answer(503, {"error": str(refusal)})
        fields = {
            "quote": base64.b64encode(made.content).decode(),
            "tee_type": TEE_TYPES.get(made.provider, made.provider),
        }
        about = {"report_data": bound.hex(), "app_sha256": app.hex(), "asked": report_data.hex()}
        return Answer(200, {**fields, **about})

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit() and len(length) <= 4 and int(length) <= MOST_BODY_BYTES):  # noqa: PLR2004 -- its digits
            raise WrongQuestion(f"the body must say its length, at most {MOST_BODY_BYTES} bytes")
        return self.rfile.read(int(length))


def _runtime_log() -> Answer:
    """What was measured in this boot: nothing secret, and an app may hand it on to whoever checks its quotes."""
    try:
        return Answer(200, {"runtime_log": layout.RUNTIME_LOG.read_text()})
    except OSError:
        return Answer(503, {"error": "there is no log"})


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


def serve(quote: Callable[[bytes], tsm.Quote]) -> int:
    """For all kettles, until the service is stopped."""
    with log.opened("quote") as logger, ExitStack() as servers:
        turns = Turns()
        threads = []
        for kettle in range(layout.KETTLES):
            server = servers.enter_context(Server(kettle, layout.quote_socket(kettle), quote, turns, logger))
            threads.append(threading.Thread(target=server.serve_forever, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return 0


def main() -> int:
    return serve(tsm.quote)


if __name__ == "__main__":
    sys.exit(main())
