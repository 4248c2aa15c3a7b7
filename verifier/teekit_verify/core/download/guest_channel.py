"""One question to a live machine, over a connection of its own: the answer, and the key that this very connection ends in.

Nobody is trusted for the key: it means something once a quote names it. Whether an authority vouches for the certificate is told for
information only. Everything is bounded: the whole exchange in time, the answer in bytes, the headers as http.client bounds them.
Redirects are not followed, because another machine would answer.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import ipaddress
import re
import socket
import ssl
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teekit_verify import __version__
from teekit_verify.core.download.answers import NoAnswerError
from teekit_verify.core.download.wire import fault_of
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.url import redacted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.core.download.proxies import Proxies

MOST_BYTES = 32 << 20
SECONDS = 90.0
"""For all of it: a quote takes some seconds, and a guest that is busy lets who asks wait."""
_ADDRESS = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?/?")
_PORTS = {"http": 80, "https": 443}
_MOST_PORT = 65535
_CHUNK_BYTES = 1 << 16
_MOST_MESSAGE_BYTES = 4096
_SHOWN = 120


class NotAnsweredError(TeekitError):
    """Something answered, and it is no attestation: an error, a redirect, too much."""

    def __init__(self, message: str, *, status: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status

    @property
    def facts(self) -> dict[str, object]:
        return {"status": self.status}


@dataclass(frozen=True, slots=True)
class GuestAddress:
    """Where a machine answers; `host` is without the brackets of an IPv6 address."""

    scheme: str
    host: str
    port: int

    @property
    def is_encrypted(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class GuestReply:
    """`tls_key_sha256` is that of the SubjectPublicKeyInfo in DER, None over plain HTTP. `not_vouched_for` is why no authority
    vouches for the certificate, empty where one does.
    """

    body: bytes
    tls_key_sha256: bytes | None
    not_vouched_for: str = ""


def parse_guest_address(url: str) -> GuestAddress:
    """Raises TeekitError for anything but http or https, a host and a port."""
    match = _ADDRESS.fullmatch(url)
    port = int(match[3]) if match and match[3] else _PORTS[match[1]] if match else 0
    if match is None or not 0 < port <= _MOST_PORT:
        raise TeekitError(
            f"expected the address of a machine, found '{printable(redacted(url)[:_SHOWN])}'",
            hint="Write it like https://app.example.org, without a path.",
        )
    return GuestAddress(match[1], match[2].strip("[]").lower(), port)


def ask_guest(
    address: GuestAddress, path: str, proxies: Proxies, *, most_bytes: int = MOST_BYTES, seconds: float = SECONDS
) -> GuestReply:
    """Raises NoAnswerError where nothing whole comes in time, NotAnsweredError for what is no attestation."""
    deadline = time.monotonic() + seconds
    proxy = _proxy(address, proxies)
    try:
        if not address.is_encrypted:
            with closing(_connected(address, proxy, deadline)) as line:
                target = path if proxy is None else f"{address}{path}"
                return GuestReply(_exchange(line, address, target, proxy, deadline, most_bytes=most_bytes), None)
        line, problem = _encrypted(address, proxy, deadline)
        with closing(line):
            key = _key_digest(line, address)
            return GuestReply(_exchange(line, address, path, None, deadline, most_bytes=most_bytes), key, problem)
    except (OSError, http.client.HTTPException, ValueError) as error:
        detail = fault_of(error, "" if proxy is None else printable(redacted(proxy))).detail
        raise NoAnswerError(f"{address}: {detail}", hint="Check the address, and that the machine runs.") from error


def _proxy(address: GuestAddress, proxies: Proxies) -> str | None:
    """The machine that asks is never reached through a proxy. Raises TeekitError for one that is spoken to in TLS or SOCKS."""
    proxy = None if _is_local(address.host) else proxies.for_url(str(address))
    if proxy is not None and urlsplit(proxy).scheme != "http":
        raise TeekitError(
            f"a proxy of the form {urlsplit(proxy).scheme}:// is not used to reach a machine",
            hint="Set http_proxy and https_proxy to http:// addresses, or name the machine in no_proxy.",
        )
    return proxy


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _connected(address: GuestAddress, proxy: str | None, deadline: float) -> socket.socket:
    """To the machine, or to the proxy; through it where the connection is to be encrypted."""
    parts = urlsplit(proxy or "")
    place = (address.host, address.port) if proxy is None else (parts.hostname or "", parts.port or _PORTS["http"])
    line = socket.create_connection(place, timeout=_left(deadline))
    if proxy is not None and address.is_encrypted:
        try:
            _tunnel(line, address, proxy, deadline)
        except BaseException:
            line.close()
            raise
    return line


def _tunnel(line: socket.socket, address: GuestAddress, proxy: str, deadline: float) -> None:
    """RFC 9110, 9.3.6."""
    place = f"[{address.host}]:{address.port}" if ":" in address.host else f"{address.host}:{address.port}"
    _send(line, f"CONNECT {place} HTTP/1.1", {"Host": place, **_proxy_login(proxy)}, deadline)
    response = _response(line, deadline, "CONNECT")
    if response.status != http.HTTPStatus.OK:
        words = f"{address}: the proxy answers HTTP {response.status}"
        raise NotAnsweredError(words, status=response.status, hint="Name the machine in no_proxy.")


def _proxy_login(proxy: str) -> dict[str, str]:
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(login.encode()).decode('ascii')}"}


def _encrypted(address: GuestAddress, proxy: str | None, deadline: float) -> tuple[ssl.SSLSocket, str]:
    """A connection, and why no authority vouches for its certificate. It is made anew where none does: it is that one which counts."""
    try:
        return _handshake(address, proxy, deadline, ssl.create_default_context()), ""
    except ssl.SSLCertVerificationError as error:
        problem = printable(error.verify_message[:_SHOWN])
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.minimum_version = ssl.TLSVersion.TLSv1_2
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE  # the quote names the key: that is what is trusted
    return _handshake(address, proxy, deadline, anybody), problem


def _handshake(address: GuestAddress, proxy: str | None, deadline: float, context: ssl.SSLContext) -> ssl.SSLSocket:
    line = _connected(address, proxy, deadline)
    try:
        line.settimeout(_left(deadline))
        return context.wrap_socket(line, server_hostname=address.host)
    except BaseException:
        line.close()
        raise


def _key_digest(line: ssl.SSLSocket, address: GuestAddress) -> bytes:
    """Of the key that the peer of this connection has shown to hold."""
    try:
        certificate = x509.load_der_x509_certificate(line.getpeercert(binary_form=True) or b"")
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise NoAnswerError(f"{address}: its certificate has no key that can be read") from error
    return hashlib.sha256(spki).digest()


def _exchange(
    line: socket.socket, address: GuestAddress, target: str, proxy: str | None, deadline: float, *, most_bytes: int
) -> bytes:
    headers = {
        "Host": address.authority,
        "Accept": "application/json",
        **({} if proxy is None else _proxy_login(proxy)),
    }
    _send(line, f"GET {target} HTTP/1.1", headers, deadline)
    response = _response(line, deadline, "GET")
    with closing(response):
        if response.status != http.HTTPStatus.OK:
            raise _not_answered(address, response)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise NotAnsweredError(f"{address}: answers in an encoding that was not asked for", status=response.status)
        return b"".join(_body(response, address, most_bytes))


def _send(line: socket.socket, first: str, headers: dict[str, str], deadline: float) -> None:
    named = {**headers, "User-Agent": f"teekit-verify/{__version__}", "Connection": "close"}
    lines = [first, *(f"{name}: {value}" for name, value in named.items()), "", ""]
    line.settimeout(_left(deadline))
    line.sendall("\r\n".join(lines).encode("ascii"))


def _response(line: socket.socket, deadline: float, method: str) -> http.client.HTTPResponse:
    response = http.client.HTTPResponse(_Bounded(line, deadline), method=method)  # type: ignore[arg-type]
    response.begin()
    return response


def _body(response: http.client.HTTPResponse, address: GuestAddress, most_bytes: int) -> Iterator[bytes]:
    left = most_bytes
    if (response.length or 0) <= most_bytes:
        while chunk := response.read(_CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
        else:
            if response.length:
                raise http.client.IncompleteRead(b"", response.length)
            return
    raise NotAnsweredError(f"{address}: answers with more than {most_bytes} bytes", status=response.status)


def _not_answered(address: GuestAddress, response: http.client.HTTPResponse) -> NotAnsweredError:
    """With what the answer says of itself, which is somebody's text."""
    said = printable(response.read(_MOST_MESSAGE_BYTES)[:_SHOWN].decode("utf-8", "replace"))
    if http.HTTPStatus.MULTIPLE_CHOICES <= response.status < http.HTTPStatus.BAD_REQUEST:
        words, hint = (
            "redirects, which is not followed: another machine would answer",
            "Give the machine's own address.",
        )
    else:
        words, hint = f"HTTP {response.status}: {said}", _HINTS.get(response.status, "Check that it is such a machine.")
    return NotAnsweredError(f"{address}: {words}", status=response.status, hint=hint)


_HINTS = {
    404: "Check that its image answers for itself: older ones do not.",
    429: "Ask again in a minute.",
    503: "Check that the machine is a confidential VM that can make quotes.",
}


class _Bounded:
    """What http.client needs of a socket: its bytes, until the deadline."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        self._line, self._deadline = line, deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_UntilDeadline(self._line, self._deadline))


class _UntilDeadline(io.RawIOBase):
    """Each read waits for what is left of the time for all of them: one byte now and then does not buy more."""

    def __init__(self, line: socket.socket, deadline: float) -> None:
        super().__init__()
        self._line, self._deadline = line, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._line.settimeout(_left(self._deadline))
        return self._line.recv_into(buffer)
