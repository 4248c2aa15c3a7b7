"""The guest's attestation service on this machine, at both its doors."""

from __future__ import annotations

import http.client
import json
import socket
import tempfile
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teekit_guest.attestation import CLIENT_HEADER, KEY_HEADER, PATH, Https, Plain
from teekit_guest.attestation_answer import Kept, Machine
from teekit_guest.serving import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from teekit_guest.tpm_quote import Attester
    from teekit_guest.tsm import Quote

KEPT = Kept("\x1e{}\n", (b"first", b"\xff second"), "a.example,b.example", b"the CCEL", None)
SECONDS = 600


class _OverSocket(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("guest", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Doors:
    plain: Plain
    https: Https
    path: Path

    @property
    def port(self) -> int:
        return int(self.plain.server_address[1])

    def ask(self, query: str, headers: Mapping[str, str] | None = None, path: str = PATH) -> tuple[int, Any]:
        """At the plain door."""
        return _asked(http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS), path + query, headers or {})

    def ask_as_nginx(self, query: str, key: str | None, client: str | None = "192.0.2.1") -> tuple[int, Any]:
        given = {KEY_HEADER: key, CLIENT_HEADER: client}
        headers = {name: value for name, value in given.items() if value is not None}
        return _asked(_OverSocket(self.path), PATH + query, headers)

    def connection(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), SECONDS)


def _asked(connection: http.client.HTTPConnection, target: str, headers: Mapping[str, str]) -> tuple[int, Any]:
    try:
        connection.request("GET", target, headers=dict(headers))
        with connection.getresponse() as answer:
            assert answer.getheader("Content-Type") == "application/json"
            return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@contextmanager
def doors(
    quote: Callable[[bytes], Quote], attester: Attester | None = None, kept: Kept = KEPT, *, hasty: bool = False
) -> Iterator[Doors]:
    """Without the limit on the time of a question, which a busy machine exceeds, unless it is `hasty`."""
    machine, turns = Machine(kept, quote, attester), Turns()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o711)  # for an nginx that a test starts as root, and that is nobody afterwards
        plain = stack.enter_context(Plain(0, machine, turns))
        https = stack.enter_context(Https(folder / "https", machine, turns))
        for server in (plain, https):
            server.seconds = server.seconds if hasty else SECONDS
            thread = threading.Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
        yield Doors(plain, https, folder / "https")
