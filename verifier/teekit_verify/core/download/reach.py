"""Which addresses a stranger's program may reach through us: those of the public internet, and nothing that only this host can see.

A name is resolved once, and the connection goes to an address that was looked at: what the name server says a moment later changes nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HTTP_PORT, HTTPS_PORT = 80, 443
_V6_GLOBAL = ipaddress.IPv6Network("2000::/3")
# Forms of IPv6 that carry an IPv4 address, which may be anybody's: Teredo and other protocols of 2001::/23, 6to4.
_V6_CARRIERS = (ipaddress.IPv6Network("2001::/23"), ipaddress.IPv6Network("2002::/16"))
# What the registry (RFC 6890) has not for one host: multicast, reserved; relays of 6to4; protocol assignments; documentation.
_V4_NOT_ONE_HOST = tuple(
    map(
        ipaddress.IPv4Network,
        ("224.0.0.0/3", "192.88.99.0/24", "192.0.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
    )
)
# Azure's host of platform services: its address looks like anybody's, and answers guests with their secrets.
_METADATA = frozenset({ipaddress.ip_address("168.63.129.16")})

Resolved = tuple[str, int]
"""An address in digits, and a port."""


def is_public(address: str) -> bool:
    """Whether an address in digits is one of the public internet. False for what is none, or has a zone."""
    try:
        parsed = ipaddress.ip_address("" if "%" in address else address)
    except ValueError:
        return False
    if parsed in _METADATA or not parsed.is_global:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return not any(parsed in network for network in _V4_NOT_ONE_HOST)
    return parsed in _V6_GLOBAL and not any(parsed in network for network in _V6_CARRIERS)


def resolve(host: str, port: int) -> Sequence[Resolved]:
    """What the host's resolver says. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(str(place[0]), int(place[1])) for *_, place in found]


@frozen
class Reach:
    """`ports` that may be asked; None for any. `authorities` is a file of certificates that sign for servers, in place of the host's.
    `this_host`: whether a server may be this very host, by whatever address.
    """

    ports: frozenset[int] | None = frozenset({HTTP_PORT, HTTPS_PORT})
    is_allowed: Callable[[str], bool] = is_public
    resolve: Callable[[str, int], Sequence[Resolved]] = resolve
    authorities: Path | None = None
    this_host: bool = False


PUBLIC = Reach()
