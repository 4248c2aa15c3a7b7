"""A proxy on a Unix socket, for the scripts of one build: HTTP/1.1, and TLS that ends here, so that both can be recorded.

What comes in is a stranger's: it is read by Python's own parser of HTTP with its bounds, taken apart, and asked anew.
"""

from __future__ import annotations

import io
import os
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from itertools import chain, islice
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download.reach import HTTP_PORT
from teekit_verify.core.download.upstream import NotFetchedError, Request, Why
from teekit_verify.rebuild.network import headers, target
from teekit_verify.rebuild.network.recording import EMPTY, Asked
from teekit_verify.rebuild.network.sources import OWN_ANSWERS, NotRecordedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from _typeshed import ReadableBuffer as Buffer

    from teekit_verify.core.download.reach import Reach
    from teekit_verify.rebuild.network.authority import Authority
    from teekit_verify.rebuild.network.recording import Method
    from teekit_verify.rebuild.network.sources import Reply, Source
    from teekit_verify.rebuild.network.target import Server

_METHODS: dict[str, Method] = {"GET": "GET", "HEAD": "HEAD", "POST": "POST"}
_MOST_BODY_BYTES = 4 << 20  # in memory, of each connection
_MOST_CONNECTIONS = 64
_MOST_REFUSED = 1000
_IDLE_SECONDS, _LOOK_SECONDS = 120.0, 0.2
_NOT_RECORDED = 504
_WITHOUT_BODY = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that nobody was asked, by the rules: the same in every build. `asked` is what the script wrote."""

    asked: str
    why: Why


@dataclass(slots=True)
class Proxy:
    """`refused` are the first requests that were refused by the rules."""

    source: Source
    reach: Reach
    authority: Authority
    refused: list[Refused] = field(default_factory=list)
    _open: set[socket.socket] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)
    _room: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(_MOST_CONNECTIONS))

    @contextmanager
    def served(self, path: Path) -> Iterator[None]:
        """Listen at `path` for the time of the block; then nothing of it is left, and no answer is recorded any more."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            _bind(listener, path)
            listener.listen(2 * _MOST_CONNECTIONS)
            thread = threading.Thread(target=self._accept, args=(listener,), daemon=True)
            thread.start()
            try:
                yield
            finally:
                self._ended.set()
                with suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                thread.join()
                self._end()
                path.unlink(missing_ok=True)

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    def refuse(self, asked: str, why: Why) -> None:
        with self._lock:
            refused = Refused(asked[:500], why)
            if refused not in self.refused and len(self.refused) < _MOST_REFUSED:
                self.refused.append(refused)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # the end
                return
            self.opened(connection)
            while not self._room.acquire(timeout=_LOOK_SECONDS):
                if self._ended.is_set():
                    connection.close()
                    return
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        try:
            with suppress(OSError):
                Exchanges(self, connection)
        finally:
            self._room.release()

    def opened(self, connection: socket.socket, instead_of: socket.socket | None = None) -> None:
        with self._lock:
            self._open.discard(instead_of or connection)
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def _end(self) -> None:
        with self._lock:
            left = tuple(self._open)
        for connection in left:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for _ in left:  # each gives its place back when it is done
            self._room.acquire(timeout=1)


def _bind(listener: socket.socket, path: Path) -> None:
    """By way of the folder's descriptor: a socket's path has 107 bytes at most (unix(7))."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)
    path.chmod(0o666)  # the build's root is nobody on the host


class _Writer(io.BufferedIOBase):
    """A socket, written to whole: TLS has no file for that."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        self._connection.sendall(data)
        return memoryview(data).nbytes


class Exchanges(BaseHTTPRequestHandler):
    """One connection of a script, to its end."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def __init__(self, proxy: Proxy, connection: socket.socket) -> None:
        self._proxy = proxy
        self._tunnel: Server | None = None
        self._gone = False
        super().__init__(connection, "", None)  # type: ignore[arg-type]

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self._proxy.closed(self.connection)
        self.connection.close()

    @property
    def _wanted(self) -> str:
        """As the script wrote it: the library's `path` has fewer slashes."""
        return self.requestline.split()[1]

    def do_CONNECT(self) -> None:
        try:
            server = self._named_by_connect()
        except NotFetchedError as error:
            self._proxy.refuse(f"CONNECT {self._wanted}", error.why)
            self._say(*OWN_ANSWERS[error.why])
            return
        self.send_response_only(200)
        self.end_headers()
        self._tunnel = server
        self._secure(server.host)

    def _named_by_connect(self) -> Server:
        """Raises NotFetchedError."""
        if self._tunnel is not None:
            raise NotFetchedError(Why.FORM, "a tunnel in a tunnel")
        server, ports = target.of_connect(self._wanted), self._proxy.reach.ports
        if ports is not None and server.port not in ports - {HTTP_PORT}:
            raise NotFetchedError(Why.PORT, f"port {server.port} may not be asked")
        return server

    def _secure(self, host: str) -> None:
        """The rest of the connection is TLS, with a certificate of the build's own authority."""
        self.wfile.flush()
        plain, context = self.connection, self._proxy.authority.context(host)
        self.rfile.close()
        self.connection = self.request = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._proxy.opened(self.connection, instead_of=plain)
        self.connection.do_handshake()
        self.rfile, self.wfile = self.connection.makefile("rb", -1), _Writer(self.connection)
        self.close_connection = False

    def __getattr__(self, name: str) -> object:
        """The handler of each method: the library looks for one by name."""
        if name.startswith("do_"):
            return self._exchange if name.removeprefix("do_") in _METHODS else self._other_method
        raise AttributeError(name)

    def _other_method(self) -> None:
        self._refuse(NotFetchedError(Why.METHOD, "only GET, HEAD and POST can be recorded"))

    def _exchange(self) -> None:
        try:
            asked, request = self._asked()
        except NotFetchedError as error:
            self._refuse(error)
            return
        begun = False
        try:
            with self._proxy.source.reply(asked, request) as reply:
                begun = True
                self._pass(reply)
        except NotFetchedError as error:
            if error.why is Why.COUNT:
                self._proxy.refuse(f"{asked.method} {asked.url}", error.why)
            self._failed(*OWN_ANSWERS[error.why], begun=begun)
        except NotRecordedError as error:
            self._failed(_NOT_RECORDED, str(error), begun=begun)

    def _asked(self) -> tuple[Asked, Request]:
        """Raises NotFetchedError."""
        if self.headers.defects:
            raise NotFetchedError(Why.FORM, "the request's header is malformed")
        if self._tunnel is None:
            server, path = target.of_absolute(self._wanted)
        else:
            server = self._tunnel
            path = target.in_tunnel(server, self._wanted, self.headers.get_all("Host", []))
        fields = headers.passed_on(self.headers.items())
        body = self._body()
        url = server.url(path)
        digest = Digest.of(Algorithm.SHA256, body) if body else EMPTY
        asked = Asked(_METHODS[self.command], url, headers.telling(fields), digest)
        return asked, Request(self.command, server.scheme, server.host, server.port, path, fields, body)

    def _body(self) -> bytes:
        """Of a length that is said once: what two readers may take for the end of different requests is refused."""
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or len(lengths) > 1:
            raise NotFetchedError(Why.FORM, "the request does not say its length, or twice")
        if not lengths:
            return b""
        if not (lengths[0].isascii() and lengths[0].isdecimal()) or len(lengths[0]) > len(str(_MOST_BODY_BYTES)):
            raise NotFetchedError(Why.FORM, "the request's length is no number, or too large")
        if (length := int(lengths[0])) > _MOST_BODY_BYTES or (length and self.command != "POST"):
            raise NotFetchedError(Why.FORM, "the request is too large, or has a body that its method has not")
        body = self.rfile.read(length)
        if len(body) != length:
            raise NotFetchedError(Why.FORM, "the request ended early")
        return body

    def _pass(self, reply: Reply) -> None:
        """All of it, also where the script has gone meanwhile: the recording has whole answers."""
        is_head_alone = self.command == "HEAD" or reply.length == 0 or reply.status in _WITHOUT_BODY
        first = tuple(islice(reply.chunks, 1)) if is_head_alone else ()  # recorded before the head, which is all of it
        chunked = self._head(reply)
        for chunk in chain(first, reply.chunks):
            if self._gone and self._proxy.has_ended:
                raise NotFetchedError(Why.TIME, "the build has ended")
            if self.command != "HEAD":
                self._write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
        if chunked:
            self._write(b"0\r\n\r\n")

    def _write(self, data: bytes) -> None:
        if not self._gone:
            try:
                self.wfile.write(data)
            except OSError:
                self._gone = self.close_connection = True

    def _head(self, reply: Reply) -> bool:
        """Whether its bytes go in chunks."""
        self.send_response_only(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        chunked = reply.length is None and self.request_version == "HTTP/1.1"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif reply.length is not None and self.command != "HEAD" and reply.status not in _WITHOUT_BODY:
            self.send_header("Content-Length", str(reply.length))
        if reply.length is None and not chunked:
            self.send_header("Connection", "close")
        try:
            self.end_headers()
        except OSError:
            self._gone = self.close_connection = True
        return chunked

    def _refuse(self, error: NotFetchedError) -> None:
        """By the rules, without asking anybody; what comes next on the connection may be part of it."""
        where = self._wanted if self._tunnel is None else self._tunnel.url(self._wanted)
        self._proxy.refuse(f"{self.command} {where}", error.why)
        self._say(*OWN_ANSWERS[error.why])

    def _failed(self, status: int, message: str, *, begun: bool) -> None:
        """Where a part was given, only the end of the connection says that it is not whole."""
        self.close_connection = True
        if not begun:
            self._say(status, message)

    def _say(self, status: int, message: str) -> None:
        text = f"teekit-verify: {message}\n".encode()
        self.close_connection = True
        self.send_response_only(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - as the library has it
        """Nothing: what is of note is recorded."""

    def address_string(self) -> str:
        return "a script"
