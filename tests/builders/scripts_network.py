"""A room for scripts without a sandbox around it: a test talks to the proxy's socket itself."""

from __future__ import annotations

import os
import socket
import ssl
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.download import DownloadStore
from teekit_verify.core.download.upstream import Patience
from teekit_verify.rebuild.network.recording import Answers, Recording
from teekit_verify.rebuild.network.room import Room
from teekit_verify.rebuild.network.sources import Bounds, Player, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from teekit_verify.core.download.reach import Reach
    from teekit_verify.rebuild.network.sources import Source

PATIENT = Patience(silence_seconds=600, answer_seconds=600)
BOUNDS = Bounds()


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Script:
    """Who talks to the proxy of a room."""

    room: Room

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        folder = os.open(self.room.folder, os.O_PATH)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(600)
                connection.connect(f"/proc/self/fd/{folder}/proxy")
                yield connection
        finally:
            os.close(folder)

    def says(self, request: bytes) -> bytes:
        """All that comes back, to the end of the connection."""
        with self.connected() as connection:
            connection.sendall(request)
            return rest_of(connection)

    def asks(self, url: str, *headers: str, method: str = "GET", body: bytes = b"") -> Answer:
        """Over a connection of its own; an https address through a tunnel, whose certificate is checked."""
        scheme, _, rest = url.partition("://")
        host, slash, path = rest.partition("/")
        lines = [f"Host: {host}", "Connection: close", *headers]
        lines += [f"Content-Length: {len(body)}"] if body else []
        target = f"{slash}{path}" if scheme == "https" else url
        request = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode() + body
        if scheme == "http":
            return parsed(self.says(request))
        with self.tunnel(host) as secured:
            secured.sendall(request)
            return parsed(rest_of(secured))

    def asks_for_whatever(self, url: str) -> bytes:
        """All that comes, which need not be an answer."""
        return self.says(f"GET {url} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())

    @contextmanager
    def tunnel(self, host: str) -> Iterator[ssl.SSLSocket]:
        context = ssl.create_default_context(cadata=self.room.proxy.authority.certificate.decode())
        with self.connected() as connection:
            connection.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            assert _head(connection) == b"HTTP/1.1 200 OK\r\n\r\n"
            with context.wrap_socket(connection, server_hostname=host.rpartition(":")[0]) as secured:
                yield secured


def _head(connection: socket.socket) -> bytes:
    found = b""
    while not found.endswith(b"\r\n\r\n"):
        found += connection.recv(1)
    return found


def rest_of(connection: socket.socket) -> bytes:
    """To the end of the connection, however that ends."""
    found = b""
    while True:
        try:
            data = connection.recv(1 << 16)
        except (ConnectionError, ssl.SSLEOFError):
            return found
        if not data:
            return found
        found += data


def parsed(data: bytes) -> Answer:
    """Of one answer; chunks are joined."""
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = _joined(body)
    return Answer(int(first.split()[1]), headers, body)


def _joined(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        found, body = found + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return found


@dataclass(frozen=True)
class Network:
    """Two builds' worth of rooms in a folder."""

    folder: Path
    reach: Reach
    patience: Patience = PATIENT
    bounds: Bounds = BOUNDS

    @property
    def store(self) -> DownloadStore:
        return DownloadStore(self.folder / "store")

    @contextmanager
    def recorded(self) -> Iterator[tuple[Script, Recorder]]:
        recorder = Recorder(self.store, self.reach, self.patience, self.bounds)
        with self._open("A", recorder) as script:
            yield script, recorder

    @contextmanager
    def replayed(self, recording: Recording) -> Iterator[tuple[Script, Player]]:
        player = Player(self.store, Answers.of(Recording.parse(recording.dump(), "recording.json")))
        with self._open("B", player) as script:
            yield script, player

    @contextmanager
    def _open(self, name: str, source: Source) -> Iterator[Script]:
        room = Room.make(self.folder / name, source, self.reach)
        with room.open():
            yield Script(room)


def wait_until(condition: Callable[[], bool], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
