"""attestation.service: what machine this is, and what it runs, for whoever asks. The format is docs/app-identity.md.

Two doors: port 3000, plain, and a socket that only nginx reaches, which says whose TLS key the client's connection ends at. No app reaches that
socket, so none can have an answer over a key of its own. Each door has its own limits, and takes turns with the other: a flood at one
leaves the other as it was. Quotes for apps come from another service, and the kernel serves the two in turn.
"""

from __future__ import annotations

import socket
import string
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from socketserver import TCPServer, UnixStreamServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from . import layout, log, nginx, serving, tsm
from .attestation_answer import Machine
from .rates import Rates, network_of
from .refusal import Refused
from .serving import Answer, Bounded, Turns

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = nginx.ATTESTATION
NONCE_CHARACTERS = 64
KEY_CHARACTERS = 64
KEY_HEADER, CLIENT_HEADER = "X-Teekit-Tls-Key", "X-Teekit-Client"  # see nginx.py
SECONDS = 10.0  # for a whole question; and for a whole answer
AT_ONCE = 16
AT_ONCE_EACH = 4  # of one address, at the plain door
IPV6 = Path("/proc/net/if_inet6")
PLAIN, HTTPS = range(2)


class WrongQuestion(Refused):
    """The client's mistake."""


class Door(Bounded):
    """What both have. `number` is whose turn it is."""

    number: int
    rates: Rates
    turns: Turns
    machine: Machine

    def open_for(self, machine: Machine, turns: Turns) -> None:
        self.machine, self.turns, self.rates = machine, turns, Rates(time.monotonic)
        self.places, self.seconds = threading.BoundedSemaphore(AT_ONCE), SECONDS


class Https(Door, UnixStreamServer):
    """nginx has read the whole question before it comes here."""

    number = HTTPS
    request_queue_size = AT_ONCE

    def __init__(self, path: Path, machine: Machine, turns: Turns) -> None:
        path.unlink(missing_ok=True)
        super().__init__(str(path), Exchange)
        # Who may reach it, the folder says.
        path.chmod(0o666)
        self.open_for(machine, turns)


class Plain(Door, TCPServer):
    number = PLAIN
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int, machine: Machine, turns: Turns) -> None:
        self.address_family = socket.AF_INET6 if IPV6.exists() else socket.AF_INET
        self._open: Counter[str] = Counter()
        self._counting = threading.Lock()
        super().__init__(("" if IPV6.exists() else "0.0.0.0", port), Exchange, bind_and_activate=False)  # noqa: S104
        if IPV6.exists():
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.server_bind()
        self.server_activate()
        self.open_for(machine, turns)

    def process_request(self, request: Any, client_address: Any) -> None:
        """One address has some of the places, and not all."""
        network = network_of(client_address[0])
        with self._counting:
            welcome = self._open[network] < AT_ONCE_EACH
            self._open[network] += welcome
        if not welcome:
            self.turn_away(request)
        elif self.places.acquire(blocking=False):
            super(Bounded, self).process_request(request, client_address)
        else:
            self._gone(network)
            self.turn_away(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._gone(network_of(client_address[0]))

    def _gone(self, network: str) -> None:
        with self._counting:
            self._open[network] -= 1
            if not self._open[network]:
                del self._open[network]


class Exchange(serving.Exchange):
    server: Https | Plain
    server_version = "attestation"

    def do_GET(self) -> None:  # noqa: N802 -- http.server calls it so
        try:
            self.send_answer(self._answer())
        except WrongQuestion as refusal:
            self.send_answer(Answer(400, {"error": str(refusal)}))

    def _answer(self) -> Answer:
        parts = urlsplit(self.path)
        if parts.path != PATH:
            return Answer(404, {"error": "not found"})
        nonce = nonce_of(parts.query)
        client, key = self._client()
        if not self.server.rates.allow(network_of(client)):
            return Answer(429, {"error": "asked too often"})
        try:
            with self.server.turns.of(self.server.number):
                return Answer(200, self.server.machine.answer(nonce, key))
        except Refused as refusal:
            return Answer(503, {"error": str(refusal)})

    def _client(self) -> tuple[str, bytes | None]:
        """Who asks, and the TLS key at which its connection ends. At the plain door headers mean nothing."""
        if isinstance(self.server, Plain):
            return self.client_address[0], None
        keys, clients = self.headers.get_all(KEY_HEADER, []), self.headers.get_all(CLIENT_HEADER, [])
        if len(keys) != 1 or len(clients) != 1:
            raise WrongQuestion("nginx has to say who asks")
        return clients[0], hexadecimal(keys[0], KEY_CHARACTERS, "the digest of the TLS key")


def nonce_of(query: str) -> bytes:
    try:
        fields = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=1)
    except ValueError:
        fields = []
    if len(fields) != 1 or fields[0][0] != "nonce":
        raise WrongQuestion("the query must be nonce=..., and nothing else")
    return hexadecimal(fields[0][1], NONCE_CHARACTERS, "nonce")


def hexadecimal(text: str, characters: int, what: str) -> bytes:
    if len(text) != characters or set(text) - set(string.hexdigits):
        raise WrongQuestion(f"{what} must be {characters} hexadecimal digits")
    return bytes.fromhex(text)


def serve(quote: Callable[[bytes], tsm.Quote]) -> int:
    """At both doors, until the service is stopped."""
    with log.opened("attestation") as logger, ExitStack() as stack:
        machine, turns = stack.enter_context(Machine.opened(quote, logger)), Turns()
        doors: list[Https | Plain] = [
            stack.enter_context(Https(layout.ATTESTATION_SOCKET, machine, turns)),
            stack.enter_context(Plain(layout.ATTESTATION_PORT, machine, turns)),
        ]
        threads = [threading.Thread(target=door.serve_forever, daemon=True) for door in doors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return 0


def main() -> int:
    return serve(tsm.quote)


if __name__ == "__main__":
    sys.exit(main())
