"""One request to a server on behalf of a stranger's program, and its answer as it comes: nothing is followed, decoded or kept."""

from __future__ import annotations

import http
import http.client
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Sequence

    from teekit_verify.core.download.reach import Reach

Headers = tuple[tuple[str, str], ...]
_CONNECT_SECONDS = 30
_CHUNK_BYTES = 1 << 18
_MOST_ADDRESSES = 8
_MOST_LINES = 400
_ERRORS = (OSError, http.client.HTTPException, ValueError)


class Why(Enum):
    """Why a request got no answer from its server."""

    PORT = "port"
    ADDRESS = "address"
    METHOD = "method"
    NAME = "name"
    CONNECTION = "connection"
    CERTIFICATE = "certificate"
    ANSWER = "answer"
    SIZE = "size"
    TIME = "time"
    COUNT = "count"
    FORM = "form"


class NotFetchedError(Exception):
    """A request of a stranger's program that is refused, or failed; `why` as a value. It ends at the proxy, and reaches no user."""

    def __init__(self, why: Why, message: str) -> None:
        super().__init__(message)
        self.why = why


@frozen
class Request:
    """`host` is in lower case, without brackets; `target` begins with a slash. `headers` are what goes on to the server."""

    method: str
    scheme: str
    host: str
    port: int
    target: str
    headers: Headers = ()
    body: bytes = b""


@frozen
class Patience:
    """Seconds: of silence of a server, and for one answer in all."""

    silence_seconds: float = 60.0
    answer_seconds: float = 3600.0


@frozen
class Served:
    """The head of an answer. `length` is what it promises, None where it ends when it ends."""

    status: int
    headers: Headers
    length: int | None
    _answer: http.client.HTTPResponse
    _late: threading.Event

    def chunks(self) -> Iterator[bytes]:
        """The body, without its framing. Raises NotFetchedError where it ends early, or takes too long."""
        left = self.length
        while left is None or left > 0:
            try:
                chunk = self._answer.read1(_CHUNK_BYTES if left is None else min(left, _CHUNK_BYTES))
            except _ERRORS as error:
                raise _failed(error, self._late) from error
            if not chunk:
                break
            left = None if left is None else left - len(chunk)
            yield chunk
        if self._late.is_set():  # we ended it, which may look as if the server had
            raise _too_late()
        if left:
            raise NotFetchedError(Why.ANSWER, "the connection ended early")


@contextmanager
def asked(request: Request, reach: Reach, patience: Patience) -> Iterator[Served]:
    """The answer to one request. Raises NotFetchedError, also where the block takes longer than an answer may."""
    late = threading.Event()
    with _connected(request, reach, patience, late) as connection:
        talk = http.client.HTTPConnection(request.host, request.port)
        talk.sock, talk.response_class = connection, _Response
        try:
            _send(talk, request)
            answer = talk.getresponse()
        except _ERRORS as error:
            raise _failed(error, late) from error
        with answer:
            length = answer.length if _has_body(request, answer.status) else 0
            yield Served(answer.status, tuple(answer.getheaders()), length, answer, late)


class _Response(http.client.HTTPResponse):
    """The library takes the end of a connection for the end of a head; here a head has to end itself."""

    def begin(self, **named: Any) -> None:
        """`named` are what a later version of the library gives to itself."""
        stream = self.fp
        lines: Any = _Lines(stream)
        self.fp = lines  # of it, only lines are read in there
        try:
            super().begin(**named)
        finally:
            if self.fp is lines:
                self.fp = stream


@dataclass(slots=True)
class _Lines:
    """Heads, with those that come before the answer's."""

    stream: io.BufferedReader
    left: int = _MOST_LINES

    def readline(self, most_bytes: int) -> bytes:
        line = self.stream.readline(most_bytes)
        self.left -= 1
        if not line.endswith(b"\n") or self.left < 0:
            raise http.client.IncompleteRead(line)
        return line

    def close(self) -> None:
        self.stream.close()


def _has_body(request: Request, status: int) -> bool:
    return request.method != "HEAD" and status not in {http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED}


def _send(talk: http.client.HTTPConnection, request: Request) -> None:
    talk.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    talk.putheader("Host", _authority(request))
    for name, value in request.headers:
        talk.putheader(name, value)
    if request.body or request.method == "POST":
        talk.putheader("Content-Length", str(len(request.body)))
    talk.putheader("Connection", "close")
    talk.endheaders(request.body or None)


def _authority(request: Request) -> str:
    host = f"[{request.host}]" if ":" in request.host else request.host
    return host if request.port == {"http": 80, "https": 443}[request.scheme] else f"{host}:{request.port}"


@contextmanager
def _connected(request: Request, reach: Reach, patience: Patience, late: threading.Event) -> Iterator[socket.socket]:
    if reach.ports is not None and request.port not in reach.ports:
        raise NotFetchedError(Why.PORT, f"port {request.port} may not be asked")
    with (
        _first_that_answers(_addresses(request, reach), reach) as plain,
        _ended_after(plain, patience.answer_seconds, late),
    ):
        plain.settimeout(patience.silence_seconds)
        if request.scheme == "http":
            yield plain
            return
        context = ssl.create_default_context(cafile=None if reach.authorities is None else str(reach.authorities))
        try:
            secured = context.wrap_socket(plain, server_hostname=request.host)
        except ssl.SSLCertVerificationError as error:
            raise NotFetchedError(Why.CERTIFICATE, "the server's certificate is not valid") from error
        except (OSError, ValueError) as error:
            raise _failed(error, late) from error
        with secured:
            yield secured


@contextmanager
def _ended_after(connection: socket.socket, seconds: float, late: threading.Event) -> Iterator[None]:
    """A server that sends a byte now and then, or one head after the other, is never silent: so whatever is read then ends."""

    def end() -> None:
        late.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _addresses(request: Request, reach: Reach) -> list[tuple[str, int]]:
    """Those that may be reached, of all that the name has: one look-up, whose answer is used."""
    try:
        found = reach.resolve(request.host, request.port)
    except (OSError, UnicodeError) as error:
        raise NotFetchedError(Why.NAME, "its name is not known") from error
    allowed = [place for place in dict.fromkeys(found) if reach.is_allowed(place[0])]
    if not allowed:
        raise NotFetchedError(Why.ADDRESS, "its address is none of the public internet")
    return allowed[:_MOST_ADDRESSES]


def _first_that_answers(places: Sequence[tuple[str, int]], reach: Reach) -> socket.socket:
    last: OSError | None = None
    for place in places:
        try:
            made = socket.create_connection(place, timeout=_CONNECT_SECONDS)
        except OSError as error:
            last = error
            continue
        # A public address may be this very host's: then both ends are the same.
        if not reach.this_host and made.getpeername()[0] == made.getsockname()[0]:
            made.close()
            raise NotFetchedError(Why.ADDRESS, "its address is this host's own")
        return made
    raise _failed(last or OSError()) from last


def _too_late() -> NotFetchedError:
    return NotFetchedError(Why.TIME, "the server takes too long")


def _failed(error: Exception, late: threading.Event | None = None) -> NotFetchedError:
    if late is not None and late.is_set():
        return _too_late()
    if isinstance(error, TimeoutError):
        return NotFetchedError(Why.TIME, "the server is silent")
    if isinstance(error, http.client.HTTPException | ValueError):
        return NotFetchedError(Why.ANSWER, "the server's answer is damaged or too long")
    return NotFetchedError(Why.CONNECTION, "the connection failed")
