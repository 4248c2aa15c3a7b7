"""What a script asks a proxy for, as the address that it means: one spelling, or none (RFC 9112, section 3.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from teekit_verify.core.download.upstream import NotFetchedError, Why
from teekit_verify.rebuild.network.recording import MOST_URL

_PORTS = {"http": 80, "https": 443}
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = rf"(?P<host>{_LABEL}(?:\.{_LABEL}){{0,20}}|\[[0-9A-Fa-f:.]{{2,45}}\])"
_AUTHORITY = re.compile(rf"{_HOST}:(?P<port>[0-9]{{1,5}})")
_ABSOLUTE = re.compile(rf"http://{_HOST}(?::(?P<port>[0-9]{{1,5}}))?(?P<target>/[!-~]*)?", re.IGNORECASE)
_TARGET = re.compile(r"/[!-~]*")
_MOST_PORT = 65535
_MOST_NAME = 253


@dataclass(frozen=True, slots=True)
class Server:
    """`host` is in lower case, without brackets."""

    scheme: str
    host: str
    port: int

    def url(self, target: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{'' if self.port == _PORTS[self.scheme] else f':{self.port}'}{target}"


def of_connect(text: str) -> Server:
    """`HOST:PORT`, as CONNECT has it. Raises NotFetchedError."""
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        raise _malformed()
    return Server("https", _plain(match["host"]), _port(match["port"]))


def of_absolute(text: str) -> tuple[Server, str]:
    """`http://HOST/...`, and what comes after the host. Raises NotFetchedError."""
    match = _ABSOLUTE.fullmatch(text) if len(text) <= MOST_URL else None
    if match is None:
        raise _malformed()
    return Server("http", _plain(match["host"]), _port(match["port"] or "80")), match["target"] or "/"


def in_tunnel(server: Server, text: str, hosts: list[str]) -> str:
    """What is asked of the server that a tunnel was made to. `hosts` are the values of Host. Raises NotFetchedError for another's."""
    if len(text) > MOST_URL - 300 or not _TARGET.fullmatch(text):
        raise _malformed()
    named = server.url("").partition("://")[2]
    if len(hosts) != 1 or hosts[0].strip().lower() not in {named, f"{named}:{server.port}"}:
        raise NotFetchedError(Why.FORM, "the request names another host than its tunnel")
    return text


def _plain(host: str) -> str:
    if len(host) > _MOST_NAME:
        raise _malformed()
    return host.strip("[]").lower()


def _port(text: str) -> int:
    if not 0 < (port := int(text)) <= _MOST_PORT:
        raise _malformed()
    return port


def _malformed() -> NotFetchedError:
    return NotFetchedError(Why.FORM, "what the request asks for is no plain address")
