"""What a guest finds at the host's address: a metadata service, and a server of dummy quotes. Both answer GET on loopback only.

The guest reaches the host's loopback as 10.0.2.2 (QEMU's user network).
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.local.dummy_quote import MARK, REPORT_DATA_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

METADATA_PORT = 8090
"""Where the guest asks (teekit_guest/metadata.py)."""
QUOTE_PORT = 8080
ATTEST = "/attest/"

_TEXT, _JSON, _BYTES = "text/plain", "application/json", "application/octet-stream"
_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the owner of a VM sets: manifests as the bytes of their files, host names with commas between, and an app to serve."""

    manifests: tuple[bytes, ...] = ()
    hostname: str | None = None
    app: bytes | None = None

    def answer(self, path: str) -> Answer:
        """`/manifest` is base64, `/manifest/decoded` for people; what is not set is 404, as in the clouds."""
        return _found(self._content().get(path))

    def _content(self) -> Mapping[str, tuple[str, bytes]]:
        content = {"/health": (_JSON, b'{"status": "ok"}')}
        if self.manifests:
            content["/manifest"] = (_TEXT, b",".join(base64.b64encode(manifest) for manifest in self.manifests))
            content["/manifest/decoded"] = (_JSON, b"\n".join(self.manifests))
        if self.hostname is not None:
            content["/hostname"] = (_TEXT, self.hostname.encode())
        if self.app is not None:
            content["/app.js"] = ("text/javascript", self.app)
        return content


@dataclass(frozen=True, slots=True)
class DummyQuotes:
    """`GET /attest/HEX` gives a dummy quote over 64 bytes of report data. `quote` makes one."""

    quote: Callable[[bytes], bytes]

    def answer(self, path: str) -> Answer:
        if path == "/health":
            return _found((_JSON, json.dumps({"status": "ok", "quotes": MARK.decode()}).encode()))
        if not path.startswith(ATTEST):
            return _found(None)
        try:
            report_data = bytes.fromhex(path.removeprefix(ATTEST))
        except ValueError:
            report_data = b""
        if len(report_data) != REPORT_DATA_BYTES:
            return Answer(400, _TEXT, f"GET {ATTEST} and {2 * REPORT_DATA_BYTES} hexadecimal digits\n".encode())
        return Answer(200, _BYTES, self.quote(report_data))


def _found(content: tuple[str, bytes] | None) -> Answer:
    return Answer(404, _TEXT, b"not found\n") if content is None else Answer(200, *content)


def require_free(port: int) -> None:
    """Raises TeekitError when somebody on loopback listens on this port, which QEMU will take later."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as QEMU: what has ended is no obstacle
            probe.bind(("127.0.0.1", port))
    except OSError as error:
        raise _unusable(port, error) from error


def free_port() -> int:
    """One on loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unusable(port: int, error: OSError) -> TeekitError:
    return TeekitError(
        f"port {port} on 127.0.0.1 cannot be used: {error.strerror}", hint="Stop what uses it, and run it again."
    )


@contextlib.contextmanager
def serving(port: int, answer: Callable[[str], Answer]) -> Iterator[int]:
    """A server beside the block; gives its port, a free one for 0. Raises TeekitError when the port is taken."""

    class Exchange(BaseHTTPRequestHandler):
        timeout = _SECONDS
        server_version = "teekit-verify"
        sys_version = ""

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # a guest may end at any time
                super().handle()

        def do_GET(self) -> None:
            given = answer(self.path)
            self.send_response(given.status)
            self.send_header("Content-Type", given.content_type)
            self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            self.wfile.write(given.body)

        def log_message(self, *_: object) -> None:
            """The guest's own log says what it asked for."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Exchange)
    except OSError as error:
        raise _unusable(port, error) from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
