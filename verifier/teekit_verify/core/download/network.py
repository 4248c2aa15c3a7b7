"""Requests: kept connections, proxies, redirects, and files of this machine under `file:` addresses."""

from __future__ import annotations

import http.client
import os
import stat
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urljoin, urlsplit

import urllib3
import urllib3.exceptions
from urllib3.util import Timeout, make_headers

from teekit_verify import __version__
from teekit_verify.core.download import bearer
from teekit_verify.core.download.faults import Fault, Reason
from teekit_verify.core.download.health import Health
from teekit_verify.core.download.proxies import Proxies
from teekit_verify.core.download.wire import fault_of, status_fault
from teekit_verify.core.frozen import frozen
from teekit_verify.core.url import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from teekit_verify.core.digest import Digest

_ERRORS = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10
_KEPT_HOSTS, _KEPT_CONNECTIONS = 32, 8
_MOST_DRAINED_BYTES = 1 << 16
_DRAIN_SECONDS = 0.2
_LOCAL_HOSTS = frozenset({"", "localhost"})


class Stream(Protocol):
    """Bytes as they come; empty at the end. Raises Fault."""

    def read(self, most_bytes: int) -> bytes: ...


@frozen
class Answer:
    """A source that has what was asked for. `headers` are in lower case; they came after so many seconds."""

    status: int
    headers: Mapping[str, str]
    stream: Stream
    after_seconds: float = 0.0


class Network:
    """Connections and what was learned about sources, kept for a whole run. Threads may share it.

    `served` says of every file that was wanted in this run which source gave it.
    """

    def __init__(self, proxies: Proxies | None = None) -> None:
        self.proxies = Proxies.from_environment(os.environ) if proxies is None else proxies
        self.health = Health()
        self._tokens: dict[str, str] = {}
        self.served: dict[Digest, str] = {}
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    @contextmanager
    def asked(
        self, url: str, headers: Mapping[str, str], patience_seconds: float, *, any_status: bool = False
    ) -> Iterator[Answer]:
        """The answer to a GET request. Raises Fault for anything but a success, unless `any_status` of HTTP will do; redirects are
        followed, to http and https.
        """
        try:
            scheme = urlsplit(url).scheme
        except ValueError as error:
            raise Fault(Reason.UNREACHABLE, f"is not an address: {error}") from error
        if scheme == "file":
            with _opened(url) as answer:
                yield answer
            return
        asked_for_token, first = False, url
        for _ in range(_MOST_REDIRECTS + 1):
            begin = time.monotonic()
            with _led_to(url, first):
                response, proxy = self._request(url, {**self._token(url), **headers}, patience_seconds)
            after = time.monotonic() - begin
            with _released(response):
                if response.status == http.HTTPStatus.UNAUTHORIZED and not asked_for_token:
                    asked_for_token = True
                    if self._fetch_token(url, response.headers.get("WWW-Authenticate", ""), patience_seconds):
                        continue
                location = response.headers.get("Location", "") if response.status in _REDIRECTS else ""
                if not location:
                    with _led_to(url, first):
                        answer = _answer(response, proxy, any_status=any_status)
                    yield replace(answer, after_seconds=after)
                    return
                url = _target(url, location)
        raise Fault(Reason.UNREACHABLE, f"redirects more than {_MOST_REDIRECTS} times")

    def _token(self, url: str) -> dict[str, str]:
        token = self._tokens.get(bearer.repository_of(url))
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _fetch_token(self, url: str, challenge: str, patience_seconds: float) -> bool:
        """Whether there is a (new) token for the repository of this address."""
        repository, address = bearer.repository_of(url), bearer.token_address(challenge, url)
        if not repository or address is None:
            return False
        response, proxy = self._request(address, {}, patience_seconds)
        with _released(response):
            stream, data = _answer(response, proxy).stream, b""
            while (chunk := stream.read(bearer.MOST_BYTES)) and len(data) <= bearer.MOST_BYTES:
                data += chunk
        token = bearer.token_of(data)
        if token is not None:
            self._tokens[repository] = token
        return token is not None

    def _request(
        self, url: str, headers: Mapping[str, str], patience_seconds: float
    ) -> tuple[urllib3.BaseHTTPResponse, str]:
        """Also the proxy that it went through, as it can be shown."""
        if (scheme := urlsplit(url).scheme) not in {"http", "https"}:
            raise Fault(Reason.UNREACHABLE, f"unknown kind of address: {scheme or shown(url)}")
        named = ""
        try:
            proxy = self.proxies.for_url(url) or ""
            named = shown(proxy)
            response = self._pool(proxy).request(
                "GET",
                url,
                headers={"User-Agent": f"teekit-verify/{__version__}", **_login(url), **headers},
                timeout=Timeout(connect=patience_seconds, read=patience_seconds),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except _ERRORS as error:
            raise fault_of(error, named) from error
        return response, named

    def _pool(self, proxy: str) -> urllib3.PoolManager:
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = _new_pool(proxy)
            return self._pools[proxy]


def _new_pool(proxy: str) -> urllib3.PoolManager:
    if not proxy:
        return urllib3.PoolManager(_KEPT_HOSTS, maxsize=_KEPT_CONNECTIONS)
    try:
        login = urlsplit(proxy)
        headers = make_headers(proxy_basic_auth=_user(login.username, login.password)) if login.username else None
        return urllib3.ProxyManager(proxy, _KEPT_HOSTS, proxy_headers=headers, maxsize=_KEPT_CONNECTIONS)
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        detail = f"the proxy {shown(proxy)} cannot be used: only http and https proxies are known"
        raise Fault(Reason.UNREACHABLE, detail, proxy=shown(proxy)) from error


def _login(url: str) -> dict[str, str]:
    """The user of this very address: one that a redirect leads to has its own, or none."""
    parts = urlsplit(url)
    return make_headers(basic_auth=_user(parts.username, parts.password)) if parts.username else {}


def _user(name: str | None, password: str | None) -> str:
    return f"{unquote(name or '')}:{unquote(password or '')}"


def _target(url: str, location: str) -> str:
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
    except ValueError as error:
        raise Fault(Reason.UNREACHABLE, f"it redirects to {shown(location)}, which is not an address") from error
    if scheme not in {"http", "https"}:
        raise Fault(Reason.UNREACHABLE, f"it redirects to {shown(target)}, which is not an http or https address")
    return target


@contextmanager
def _led_to(url: str, first: str) -> Iterator[None]:
    """What fails in the block is said of the address that redirects led to, as another host may be to blame."""
    try:
        yield
    except Fault as fault:
        if url != first:
            fault.detail = f"it redirects to {shown(url)}: {fault.detail}"
        raise


def _answer(response: urllib3.BaseHTTPResponse, proxy: str, *, any_status: bool = False) -> Answer:
    if not any_status and response.status not in {http.HTTPStatus.OK, http.HTTPStatus.PARTIAL_CONTENT}:
        raise status_fault(response.status, response.reason or "", response.headers.get("Retry-After", ""), proxy)
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, _HttpStream(response, proxy))


@contextmanager
def _released(response: urllib3.BaseHTTPResponse) -> Iterator[None]:
    """Its connection is kept if what is left of the answer is little and comes at once, else closed."""
    try:
        yield
    finally:
        if not _is_drained(response):
            response.close()
        response.release_conn()


def _is_drained(response: urllib3.BaseHTTPResponse) -> bool:
    begin, left = time.monotonic(), _MOST_DRAINED_BYTES
    sock = getattr(response.connection, "sock", None)
    try:
        if sock is not None:
            sock.settimeout(_DRAIN_SECONDS)  # the next request sets its own
        while left > 0 and time.monotonic() - begin < _DRAIN_SECONDS:
            data = response.read1(left)
            if not data:
                return True
            left -= len(data)
    except _ERRORS:
        pass
    return False


@frozen
class _HttpStream:
    response: urllib3.BaseHTTPResponse
    proxy: str

    def read(self, most_bytes: int) -> bytes:
        try:
            return self.response.read1(most_bytes)
        except _ERRORS as error:
            raise fault_of(error, self.proxy) from error


@contextmanager
def _opened(url: str) -> Iterator[Answer]:
    """A plain file of this machine. A pipe or a device is none: it could keep us waiting."""
    parts = urlsplit(url)
    if parts.netloc not in _LOCAL_HOSTS:
        raise Fault(Reason.UNREACHABLE, f"a file address has no host, found '{shown(parts.netloc)}'")
    try:
        descriptor = os.open(unquote(parts.path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Fault(Reason.GONE, "there is no such file") from error
    except (OSError, ValueError) as error:
        raise Fault(Reason.UNREACHABLE, f"cannot be opened: {_system(error)}") from error
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Fault(Reason.UNREACHABLE, "is not a file")
        yield Answer(http.HTTPStatus.OK, {"content-length": str(status.st_size)}, _FileStream(stream))


def _system(error: OSError | ValueError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


class _FileStream:
    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, most_bytes: int) -> bytes:
        try:
            return self._stream.read(most_bytes)
        except OSError as error:
            raise Fault(Reason.UNREACHABLE, f"cannot be read: {_system(error)}") from error
