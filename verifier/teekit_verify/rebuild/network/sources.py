"""Where the answers to a build's scripts come from: servers, with a recording of each answer, or a recording alone."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import RemoteFile, upstream
from teekit_verify.core.download.upstream import NotFetchedError, Patience, Why
from teekit_verify.core.errors import printable
from teekit_verify.rebuild import limits
from teekit_verify.rebuild.network.headers import kept
from teekit_verify.rebuild.network.recording import EMPTY, MOST_EXCHANGES, Answers, Asked, Exchange, Recording

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from teekit_verify.core.download import DownloadStore
    from teekit_verify.core.download.reach import Reach
    from teekit_verify.core.download.upstream import Headers, Request, Served

_CHUNK_BYTES = 1 << 18


class NotRecordedError(Exception):
    """A request that the recording has no answer to. It ends at the proxy, and reaches no user."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a script gets. `length` is said before the bytes, None where they end when they end; `chunks` can raise NotFetchedError."""

    status: int
    headers: Headers
    length: int | None
    chunks: Iterator[bytes]


class Source(Protocol):
    """Threads ask it at the same time."""

    def reply(self, asked: Asked, request: Request) -> AbstractContextManager[Reply]:
        """All chunks must be taken in the block. Raises NotFetchedError, NotRecordedError."""

    def complaint(self) -> str | None:
        """What it did not give, the first of it; None where it gave all."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one build: answers, bytes of one and of all, and of what the recording says of them."""

    exchanges: int = MOST_EXCHANGES
    told_bytes: int = 3 << 20
    body_bytes: int = 4 << 30
    whole_bytes: int = 16 << 30


@dataclass(slots=True)
class Recorder:
    """Asks servers, and keeps what they said: bytes in the download store, by their digest."""

    store: DownloadStore
    reach: Reach
    patience: Patience = field(default_factory=Patience)
    bounds: Bounds = field(default_factory=Bounds)
    _exchanges: list[Exchange] = field(default_factory=list)
    _begun: int = 0
    _told_bytes: int = 0
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def recording(self) -> Recording:
        with self._lock:
            return Recording(exchanges=tuple(self._exchanges))

    @contextmanager
    def reply(self, asked: Asked, request: Request) -> Iterator[Reply]:
        self._begin(asked)
        body: _Body | None = None
        try:
            with upstream.asked(request, self.reach, self.patience) as served, self._body() as body:
                headers = kept(served.headers, with_length=request.method == "HEAD")
                yield Reply(served.status, headers, served.length, self._copied(asked, served, headers, body))
        except NotFetchedError as error:
            if not (body and body.is_kept):
                self._add(Exchange(asked, OWN_ANSWERS[error.why][0], not_fetched=error.why))
            raise

    def complaint(self) -> str | None:
        failed = next((one for one in self.recording().exchanges if one.not_fetched is not None), None)
        return None if failed is None else _not_fetched(failed)

    def _begin(self, asked: Asked) -> None:
        with self._lock:
            self._begun += 1
            self._told_bytes += len(asked.url) + _bytes_of(asked.telling)
            if self._begun > self.bounds.exchanges or self._told_bytes > self.bounds.told_bytes:
                raise NotFetchedError(Why.COUNT, "the requests of one build are too many")

    def _add(self, exchange: Exchange) -> None:
        with self._lock:
            self._exchanges.append(exchange)
            self._told_bytes += _bytes_of(exchange.headers)

    @contextmanager
    def _body(self) -> Iterator[_Body]:
        folder = self.store.path(EMPTY).parent
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix="fetched-", dir=folder)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                yield _Body(Path(name), stream)
        finally:
            Path(name).unlink(missing_ok=True)

    def _copied(self, asked: Asked, served: Served, headers: Headers, body: _Body) -> Iterator[bytes]:
        """The last piece is given once the answer is recorded: with it a script may end, and the build with the script."""
        room, last = limits.leaves_room(body.path.parent), b""
        for chunk in served.chunks():
            with self._lock:
                self._bytes += len(chunk)
                too_much = self._bytes > self.bounds.whole_bytes
            if too_much or body.size_bytes + len(chunk) > self.bounds.body_bytes or room() is not None:
                raise NotFetchedError(Why.SIZE, "the answer, or all of them together, is too large")
            body.add(chunk)
            if last:
                yield last
            last = chunk
        self._add(self._whole(asked, served, headers, body))
        body.is_kept = True
        if last:
            yield last

    def _whole(self, asked: Asked, served: Served, headers: Headers, body: _Body) -> Exchange:
        """The file under its name. Its mode is that of other files of the store."""
        body.stream.flush()
        os.fsync(body.stream.fileno())
        digest = body.digest
        if body.size_bytes:
            body.path.chmod(0o644)
            body.path.replace(self.store.path(digest))
        return Exchange(asked, served.status, headers, digest, body.size_bytes, has_length=served.length is not None)


@dataclass(slots=True)
class _Body:
    path: Path
    stream: IO[bytes]
    size_bytes: int = 0
    is_kept: bool = False
    _state: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, chunk: bytes) -> None:
        self.stream.write(chunk)
        self._state.update(chunk)
        self.size_bytes += len(chunk)

    @property
    def digest(self) -> Digest:
        return Digest.from_hex(Algorithm.SHA256, self._state.hexdigest())


@dataclass(slots=True)
class Player:
    """Answers from a recording, and asks nobody. `missed` is what it was asked for in vain, the first of them."""

    store: DownloadStore
    answers: Answers
    missed: list[Asked] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def reply(self, asked: Asked, request: Request) -> Iterator[Reply]:  # noqa: ARG002 - as the protocol has it
        with self._lock:
            found = self.answers.next(asked)
            if found is None and asked not in self.missed and len(self.missed) < MOST_EXCHANGES:
                self.missed.append(asked)
        if found is None:
            raise NotRecordedError(f"the recording has no answer to {asked.method} {asked.url}")
        if found.not_fetched is not None:
            raise NotFetchedError(found.not_fetched, "it was not fetched when the recording was made either")
        length = found.size_bytes if found.has_length else None
        yield Reply(found.status, found.headers, length, self._bytes(found))

    def complaint(self) -> str | None:
        with self._lock:
            missed = next(iter(self.missed), None)
        if missed is not None:
            return f"its scripts asked for {printable(missed.url)} ({missed.method}), which the recording of the other build does not have"
        given = (one for request in self.answers.given for one in self.answers.by_request[request])
        failed = next((one for one in given if one.not_fetched is not None), None)
        return None if failed is None else _not_fetched(failed)

    def _bytes(self, one: Exchange) -> Iterator[bytes]:
        """Hashed before they are given: the store is the user's, and files in it may be damaged."""
        if not one.size_bytes:
            return
        path = self.store.verified(file_of(one.sha256, one.size_bytes))
        if path is None:
            raise NotFetchedError(Why.ANSWER, "its bytes are no longer in the download cache")
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk


def _not_fetched(one: Exchange) -> str:
    assert one.not_fetched is not None  # noqa: S101 - as its caller chose it
    return f"its scripts asked for {printable(one.asked.url)}, and {OWN_ANSWERS[one.not_fetched][1]}"


def _bytes_of(headers: Headers) -> int:
    return sum(len(name) + len(value) for name, value in headers)


def file_of(digest: Digest, size_bytes: int, *urls: str) -> RemoteFile:
    return RemoteFile(f"fetched file {digest.hex[:12]}", size_bytes, digest, urls)


_REFUSED, _BAD_GATEWAY, _TIMED_OUT = 403, 502, 504
OWN_ANSWERS = {
    Why.PORT: (_REFUSED, "only ports 80 and 443 may be asked"),
    Why.ADDRESS: (_REFUSED, "the server's address is none of the public internet"),
    Why.METHOD: (_REFUSED, "only GET, HEAD and POST can be recorded"),
    Why.FORM: (_REFUSED, "the request has a form that cannot be recorded"),
    Why.COUNT: (_REFUSED, "the build asks too often"),
    Why.SIZE: (_REFUSED, "the answer, or all of them together, is too large"),
    Why.NAME: (_BAD_GATEWAY, "the server's name is not known"),
    Why.CONNECTION: (_BAD_GATEWAY, "the connection to the server failed"),
    Why.CERTIFICATE: (_BAD_GATEWAY, "the server's certificate is not valid"),
    Why.ANSWER: (_BAD_GATEWAY, "the server's answer is damaged, too long or incomplete"),
    Why.TIME: (_TIMED_OUT, "the server is silent, or takes too long"),
}
"""The proxy's own answer where there is no server's: status and text, the same in both builds."""
