"""OpenPGP public keys as bytes: armored or not, one form for apt and gpgv, and the fingerprints to compare with what an owner published.

RFC 9580, section 6.2 (armor), 4.2 and 4.3 (packets), 5.5.4 (fingerprints). Nothing here says that a key is good or whose it is.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_KEY_BYTES = 1 << 20
_MOST_PACKETS = 2000
_PUBLIC_KEY = 6
# Of a secret key there is nothing to trust: it was published by mistake, or is none.
_SECRET = frozenset({5, 7})
_KEY_PACKETS = frozenset({6, 14, 13, 17, 2, 12, 21})  # keys, user ids and attributes, signatures, trust, padding
_V4, _V6 = 4, 6
# First bytes of a length: from where on it has two bytes, from where on it is of a part, and where it has five (RFC 9580, 4.2.1).
_TWO_BYTES, _PARTIAL, _FIVE_BYTES, _LONGEST = 192, 224, 255, 5
_INDETERMINATE = 8
_BEGIN = re.compile(rb"^-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t]*\r?\n", re.MULTILINE)
_END = re.compile(rb"^-----END PGP PUBLIC KEY BLOCK-----[ \t]*\r?$", re.MULTILINE)


class RepositoryKeyError(TeekitError):
    """A file that should be an OpenPGP public key is none."""


def binary_key(data: bytes, name: str) -> bytes:
    """The packets of a key, or of several, out of their armor if they have one. Raises RepositoryKeyError for what is no public key."""
    blocks = list(_blocks(data))
    packets = b"".join(_unarmored(block, name) for block in blocks) if blocks else data
    fingerprints(packets, name)
    return packets


def _blocks(data: bytes) -> Iterator[bytes]:
    """What is between each beginning and the end after it. Two patterns, as one would look from every beginning for an end that is not there."""
    place = 0
    while (begin := _BEGIN.search(data, place)) and (end := _END.search(data, begin.end())):
        yield data[begin.end() : end.start()]
        place = end.end()


def fingerprints(packets: bytes, name: str) -> tuple[str, ...]:
    """Those of the primary keys, in the order of the file. Raises RepositoryKeyError."""
    found = []
    for tag, body in _packets(packets, name):
        if tag in _SECRET or tag not in _KEY_PACKETS:
            raise _no_key(name, f"it has an OpenPGP packet of the kind {tag}")
        if tag == _PUBLIC_KEY:
            found.append(_fingerprint(body, name))
    if not found:
        raise _no_key(name, "it has no key")
    return tuple(found)


def _unarmored(block: bytes, name: str) -> bytes:
    """The text after the headers, less the checksum, which is of no use (RFC 9580, 6.1)."""
    lines = [line.strip() for line in block.splitlines()]
    start = lines.index(b"") + 1 if b"" in lines else 0
    text = b"".join(line for line in lines[start:] if not line.startswith(b"="))
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise _no_key(name, "its armor is damaged") from error


def _packets(data: bytes, name: str) -> Iterator[tuple[int, bytes]]:
    place = 0
    for _ in range(_MOST_PACKETS):
        if place == len(data):
            return
        tag, start, size = _header(data, place, name)
        if start + size > len(data):
            raise _no_key(name, f"the packet at byte {place} ends behind its end")
        yield tag, data[start : start + size]
        place = start + size
    if place != len(data):
        raise _no_key(name, f"it has more than {_MOST_PACKETS} packets")


def _header(data: bytes, place: int, name: str) -> tuple[int, int, int]:
    """(kind, where the body begins, its bytes)."""
    first, rest = data[place], data[place + 1 : place + 6]
    if not first & 0x80 or not rest:
        raise _no_key(name, f"there is no OpenPGP packet at byte {place}")
    if first & 0x40:
        return first & 0x3F, *_new_length(rest, place, name)
    length_bytes = 1 << (first & 3)
    if length_bytes == _INDETERMINATE or len(rest) < length_bytes:
        raise _no_key(name, f"the packet at byte {place} has no length")
    return (first >> 2) & 0xF, place + 1 + length_bytes, int.from_bytes(rest[:length_bytes], "big")


def _new_length(rest: bytes, place: int, name: str) -> tuple[int, int]:
    """(where the body begins, its bytes); RFC 9580, 4.2.1. A key has no partial lengths."""
    if rest[0] < _TWO_BYTES:
        return place + 2, rest[0]
    if rest[0] < _PARTIAL and rest[1:]:
        return place + 3, ((rest[0] - _TWO_BYTES) << 8) + rest[1] + _TWO_BYTES
    if rest[0] == _FIVE_BYTES and len(rest) == _LONGEST:
        return place + 6, int.from_bytes(rest[1:], "big")
    raise _no_key(name, f"the packet at byte {place} has no length")


def _fingerprint(body: bytes, name: str) -> str:
    version = body[0] if body else 0
    if version == _V4:
        return Digest.of(Algorithm.SHA1, b"\x99" + len(body).to_bytes(2, "big") + body).hex.upper()
    if version == _V6:
        return Digest.of(Algorithm.SHA256, b"\x9b" + len(body).to_bytes(4, "big") + body).hex.upper()
    raise _no_key(name, f"it has a key of version {version}")


def _no_key(name: str, why: str) -> RepositoryKeyError:
    return RepositoryKeyError(
        f"{name} is not an OpenPGP public key: {why}", hint="Give the key that the repository's owner published."
    )
