"""How often may be asked: by one address, and by all of them together."""

from __future__ import annotations

import threading
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# At once, and from then on in a second.
ADDRESS_BURST, ADDRESS_PER_SECOND = 20.0, 1.0
ALL_BURST, ALL_PER_SECOND = 40.0, 5.0
MOST_ADDRESSES = 4096  # those that asked longest ago are forgotten


class Bucket:
    """Full of tokens, and filled again by time."""

    __slots__ = ("_at", "_burst", "_per_second", "_tokens")

    def __init__(self, burst: float, per_second: float, now: float) -> None:
        self._burst, self._per_second = burst, per_second
        self._tokens, self._at = burst, now

    def has_one(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._per_second)
        self._at = now
        return self._tokens >= 1

    def take(self) -> None:
        self._tokens -= 1


class Rates:
    """For one door. `now` is a monotonic clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._all = Bucket(ALL_BURST, ALL_PER_SECOND, now())
        self._addresses: OrderedDict[str, Bucket] = OrderedDict()

    def allow(self, network: str) -> bool:
        """Takes nothing from anybody where it says no: one who asks too often is not to cost the others."""
        with self._lock:
            now = self._now()
            own = self._addresses.pop(network, None) or Bucket(ADDRESS_BURST, ADDRESS_PER_SECOND, now)
            self._addresses[network] = own
            if len(self._addresses) > MOST_ADDRESSES:
                self._addresses.popitem(last=False)
            if not own.has_one(now) or not self._all.has_one(now):
                return False
            own.take()
            self._all.take()
            return True


def network_of(address: str) -> str:
    """Who counts as one: an IPv4 address, or the 64 bits that a customer has of IPv6. Raises ValueError."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return f"{int(found) >> 64:016x}"
    return str(found)
