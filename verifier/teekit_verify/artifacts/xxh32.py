"""xxHash of 32 bits with the seed 0, the checksum of LZ4 frames: Cyan4973/xxHash, doc/xxhash_spec.md.

In Python, so slow (some 10 MB/s), as what reads these frames is.
"""

from __future__ import annotations

import struct

_MASK = 0xFFFFFFFF
_PRIME = (0, 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1)
_STRIPE_BYTES = 16


class Xxh32:
    """Fed in pieces; `value` may be asked at any time."""

    def __init__(self) -> None:
        self._lanes = [(_PRIME[1] + _PRIME[2]) & _MASK, _PRIME[2], 0, -_PRIME[1] & _MASK]
        self._rest = b""
        self._size_bytes = 0

    def update(self, data: bytes) -> None:
        self._size_bytes += len(data)
        data = self._rest + data
        whole = len(data) - len(data) % _STRIPE_BYTES
        self._rest = data[whole:]
        second, first = _PRIME[2], _PRIME[1]
        a, b, c, d = self._lanes
        for one, two, three, four in struct.iter_unpack("<4I", data[:whole]):
            a = a + one * second & _MASK
            a = (a << 13 & _MASK | a >> 19) * first & _MASK
            b = b + two * second & _MASK
            b = (b << 13 & _MASK | b >> 19) * first & _MASK
            c = c + three * second & _MASK
            c = (c << 13 & _MASK | c >> 19) * first & _MASK
            d = d + four * second & _MASK
            d = (d << 13 & _MASK | d >> 19) * first & _MASK
        self._lanes = [a, b, c, d]

    @property
    def value(self) -> int:
        a, b, c, d = self._lanes
        long = self._size_bytes >= _STRIPE_BYTES
        found = _turned(a, 1) + _turned(b, 7) + _turned(c, 12) + _turned(d, 18) if long else _PRIME[5]
        found += self._size_bytes
        words = len(self._rest) // 4
        for (word,) in struct.iter_unpack("<I", self._rest[: 4 * words]):
            found = _turned(found + word * _PRIME[3] & _MASK, 17) * _PRIME[4]
        for byte in self._rest[4 * words :]:
            found = _turned(found + byte * _PRIME[5] & _MASK, 11) * _PRIME[1]
        found &= _MASK
        found = (found ^ found >> 15) * _PRIME[2] & _MASK
        found = (found ^ found >> 13) * _PRIME[3] & _MASK
        return found ^ found >> 16


def _turned(value: int, bits: int) -> int:
    value &= _MASK
    return (value << bits | value >> (32 - bits)) & _MASK


def xxh32(data: bytes) -> int:
    state = Xxh32()
    state.update(data)
    return state.value
