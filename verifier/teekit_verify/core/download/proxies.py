"""Which proxy an address is asked through: what the environment says, and where it says nothing, the host's apt."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIRECT = "DIRECT"  # how apt writes "no proxy"


@frozen
class Proxies:
    """Addresses of the proxies for http and https; empty for none, and None where nobody said anything.

    `direct` are the hosts asked without one, as in no_proxy: `example.org` and all below it, an address, a network, `*`.
    """

    http: str | None = None
    https: str | None = None
    direct: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """`http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`; lower case goes before upper case."""

        def named(name: str) -> str | None:
            return environment.get(name, environment.get(name.upper()))

        everything = named("all_proxy")
        http, https = (named(name) if named(name) is not None else everything for name in ("http_proxy", "https_proxy"))
        direct = tuple(filter(None, re.split(r"[\s,]+", named("no_proxy") or "")))
        return cls(_address(http), _address(https), direct)

    def or_else(self, other: Proxies) -> Proxies:
        """`other` where nothing is said here."""
        return replace(
            self,
            http=other.http if self.http is None else self.http,
            https=other.https if self.https is None else self.https,
            direct=(*self.direct, *other.direct),
        )

    def for_url(self, url: str) -> str | None:
        """The proxy's address, or None to ask directly. Raises ValueError for what is no address."""
        parts = urlsplit(url)
        proxy = {"http": self.http, "https": self.https}.get(parts.scheme)
        return None if not proxy or self._is_direct(parts.hostname or "", parts.port) else proxy

    def _is_direct(self, host: str, port: int | None) -> bool:
        return any(_covers(entry.lower(), host.lower(), port) for entry in self.direct)

    def environment(self) -> dict[str, str]:
        """For a program that is started: in lower case, which apt and curl read."""
        named = {"http_proxy": self.http, "https_proxy": self.https, "no_proxy": ",".join(self.direct)}
        return {name: value for name, value in named.items() if value}


def _address(text: str | None) -> str | None:
    if text is None:
        return None
    text = text.strip()
    if not text or text.upper() == _DIRECT:
        return ""
    return text if "://" in text else f"http://{text}"


def of_apt(settings: Mapping[str, str]) -> Proxies:
    """From apt's configuration (`Acquire::http::Proxy` -> value), see apt-transport-http(1) and apt-transport-https(1)."""
    lower = {name.lower(): value for name, value in settings.items()}
    http = lower.get("acquire::http::proxy")
    https = lower.get("acquire::https::proxy", http)  # https falls back on the settings of http
    prefixes = ("acquire::http::proxy::", "acquire::https::proxy::")
    direct = [
        name.removeprefix(prefix)
        for name, value in lower.items()
        for prefix in prefixes
        if name.startswith(prefix) and value.strip().upper() == _DIRECT
    ]
    return Proxies(_address(http or None), _address(https or None), tuple(dict.fromkeys(direct)))


def _covers(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass
    name, _, wanted_port = entry.partition(":")
    if wanted_port and wanted_port != str(port or ""):
        return False
    name = name.removeprefix("*").removeprefix(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))
