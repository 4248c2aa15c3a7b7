"""HTTP GET with a limit on everything: time as a whole, size, redirects. No proxies, no cookies, no credentials."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse
from io import BytesIO
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

from .refusal import REASON_CHARACTERS, Refused, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    # As socket.getaddrinfo() has them: family, kind, protocol, canonical name, address.
    Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]

REDIRECTS = 5
ADDRESSES = 8  # of a name
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
OK = 200
PIECE_BYTES = 64 * 1024
URL_CHARACTERS = 2048
PORTS = {"http": 80, "https": 443}


class Unreachable(Refused):
    """Nothing usable came back, and it may at another time: no connection, no answer in time, half an answer."""


class NobodyListens(Unreachable):
    """The connection was refused."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` may be one byte longer than was asked for, which says that there was more."""

    status: int
    headers: HTTPMessage
    body: bytes


@dataclass(frozen=True, slots=True)
class Address:
    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def split_url(url: str) -> SplitResult:
    """The parts of a URL (RFC 3986) of printable ASCII."""
    if len(url) > URL_CHARACTERS or not url.isascii() or not url.isprintable() or " " in url:
        raise Refused(f"{shown(url)} is no URL of at most {URL_CHARACTERS} printable ASCII characters")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 -- raises as well
    except ValueError:
        raise Refused(f"{shown(url)} is no URL") from None
    return parts


def address_of(url: str) -> Address:
    """What is in an http or https URL, without user, password or fragment."""
    parts = split_url(url)
    if parts.scheme not in PORTS:
        raise Refused(f"{shown(url)} is neither http nor https")
    if not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise Refused(f"{shown(url)} must have a host, and neither user nor fragment")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme], target)


def get(url: str, *, seconds: float, most_bytes: int, headers: Mapping[str, str] | None = None) -> Answer:
    """One request, no redirects. Raises Unreachable when no whole answer came within `seconds`."""
    return _asked("GET", url, None, headers or {}, seconds=seconds, most_bytes=most_bytes)


def post(url: str, json_text: bytes, *, seconds: float, most_bytes: int) -> Answer:
    """The same with something to say, in JSON."""
    headers = {"Content-Type": "application/json"}
    return _asked("POST", url, json_text, headers, seconds=seconds, most_bytes=most_bytes)


def _asked(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], *, seconds: float, most_bytes: int
) -> Answer:
    address = address_of(url)
    try:
        with _connected(address, seconds) as connection:
            connection.request(method, address.target, body, {"Host": address.authority, **headers})
            with connection.getresponse() as response:
                content = _at_most(most_bytes + 1, response)
                if len(content) <= most_bytes and response.length:
                    raise Unreachable(f"{shown(url)} broke off after {len(content)} bytes")
                return Answer(response.status, response.headers, content)
    except ConnectionRefusedError:
        raise NobodyListens(f"{shown(url)}: nobody listens there") from None
    except TimeoutError:
        raise Unreachable(f"{shown(url)} did not answer within {seconds:g} s") from None
    # ValueError: a host that is no name, and what http.client takes for no number.
    except (OSError, HTTPException, ValueError) as error:
        raise Unreachable(f"{shown(url)} did not answer: {shown(error, REASON_CHARACTERS)}") from None


def _at_most(count: int, response: HTTPResponse) -> bytes:
    """Piece by piece: http.client's read() believes a chunk of a negative size, and would read to the end, whatever comes."""
    body = BytesIO()
    while body.tell() < count and (piece := response.read1(min(PIECE_BYTES, count - body.tell()))):
        body.write(piece)
    body.truncate(count)
    return body.getvalue()


def download(url: str, *, seconds: float, most_bytes: int) -> bytes:
    """The content behind a URL. Redirects may lead from http to https, and to no other scheme."""
    until = time.monotonic() + seconds
    for _ in range(REDIRECTS + 1):
        answer = get(url, seconds=max(0.001, until - time.monotonic()), most_bytes=most_bytes)
        if answer.status not in REDIRECT_STATUSES:
            return _content(url, answer, most_bytes)
        url = _redirected(url, answer.headers.get("Location", ""))
    raise Refused(f"more than {REDIRECTS} redirects, the last to {shown(url)}")


def _redirected(url: str, location: str) -> str:
    try:
        to = urljoin(url, location)
        schemes = urlsplit(url).scheme, urlsplit(to).scheme
    except ValueError:
        raise Refused(f"{shown(url)} redirects to {shown(location)}, which is no URL") from None
    if schemes not in {("http", "http"), ("http", "https"), ("https", "https")}:
        raise Refused(f"{shown(url)} redirects to {shown(to)}, another scheme")
    return to


def _content(url: str, answer: Answer, most_bytes: int) -> bytes:
    if answer.status >= 500:  # noqa: PLR2004 -- RFC 9110, section 15.6: the server's own trouble
        raise Unreachable(f"{shown(url)} answered {answer.status}")
    if answer.status != OK:
        raise Refused(f"{shown(url)} answered {answer.status}")
    if len(answer.body) > most_bytes:
        raise Refused(f"{shown(url)} is larger than {most_bytes} bytes")
    return answer.body


@contextmanager
def _connected(address: Address, seconds: float) -> Iterator[HTTPConnection]:
    """A connection that is cut when `seconds` are over, however busy: a time-out of sockets is one for each packet."""
    until = time.monotonic() + seconds
    with _reached(address, until) as plain:
        sock = plain
        if address.scheme == "https":
            context = ssl.create_default_context()
            sock = context.wrap_socket(plain, server_hostname=address.host, do_handshake_on_connect=False)
        late = threading.Event()
        alarm = threading.Timer(max(0.001, until - time.monotonic()), _cut, (sock, late))
        alarm.daemon = True
        alarm.start()
        connection = HTTPConnection(address.host, address.port)
        connection.sock = sock
        try:
            if isinstance(sock, ssl.SSLSocket):
                sock.do_handshake()
            yield connection
        except (OSError, HTTPException, Unreachable):
            if late.is_set():
                raise TimeoutError from None
            raise
        finally:
            alarm.cancel()
            connection.close()
            sock.close()
        # An answer without a length ends where the connection does.
        if late.is_set():
            raise TimeoutError


def _reached(address: Address, until: float) -> socket.socket:
    """The first of a name's addresses that answers. They share the time: socket.create_connection() gives all of it to each, and a name
    can have thousands that never answer.
    """
    problem: OSError = TimeoutError()
    found = _resolved(address, until)[:ADDRESSES]
    for number, (family, kind, protocol, _, where) in enumerate(found):
        sock = socket.socket(family, kind, protocol)
        try:
            # An address may leave some of its share, never take more.
            sock.settimeout(max(0.001, (until - time.monotonic()) / (len(found) - number)))
            sock.connect(where)
        except OSError as error:
            sock.close()
            problem = error
        else:
            return sock
    raise problem


def _resolved(address: Address, until: float) -> Sequence[Found]:
    """The C library waits for ever for a name server that it asks by TCP and that keeps the connection. So a thread of its own asks, which
    nobody has to wait for; for one download there is one for each try and redirect, at most.
    """
    said: Queue[Sequence[Found] | Exception] = Queue()

    def ask() -> None:
        try:
            said.put(socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM))
        # ValueError: a host that is no name.
        except (OSError, ValueError) as error:
            said.put(error)

    # A daemon: the program ends without it.
    threading.Thread(target=ask, daemon=True).start()
    try:
        found = said.get(timeout=max(0.001, until - time.monotonic()))
    except Empty:
        raise Unreachable(f"the name servers did not say in time where {shown(address.host)} is") from None
    if isinstance(found, Exception):
        raise found
    return found


def _cut(sock: socket.socket, late: threading.Event) -> None:
    late.set()
    try:
        # Not SSLSocket.shutdown(): that drops the encryption under the feet of the thread that reads.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:
        # The other side was faster.
        return
