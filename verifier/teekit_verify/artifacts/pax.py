"""Extended headers of pax: POSIX.1-2017, pax, "pax Extended Header". Records "LENGTH KEY=VALUE", each ended by a newline."""

from __future__ import annotations

import base64
import binascii
import re

from teekit_verify.core.errors import MalformedInputError

MAX_BYTES = 1 << 20
_SCHILY, _LIBARCHIVE = "SCHILY.xattr.", "LIBARCHIVE.xattr."


def pax_records(data: bytes, offset: int) -> dict[str, bytes]:
    """By key; the last of several counts. `offset` is that of the data, for errors. Raises MalformedInputError."""
    found, at = {}, 0
    while at < len(data):
        match = re.compile(rb"(\d{1,10}) ([^=\n]+)=").match(data, at)
        end = at + int(match[1]) if match else 0
        if match is None or end > len(data) or end <= match.end() or data[end - 1 : end] != b"\n":
            raise MalformedInputError("tar", field="pax header", offset=offset + at, problem="a record is malformed")
        found[match[2].decode("utf-8", "surrogateescape")] = data[match.end() : end - 1]
        at = end
    return found


def xattr_of(key: str, value: bytes) -> tuple[str, bytes] | None:
    """The extended attribute that a record holds; libarchive writes its own in base64, beside those of star(1)."""
    if key.startswith(_SCHILY):
        return key.removeprefix(_SCHILY), value
    if key.startswith(_LIBARCHIVE):
        name = re.sub(rb"%([0-9A-Fa-f]{2})", _byte, key.removeprefix(_LIBARCHIVE).encode("utf-8", "surrogateescape"))
        try:
            return name.decode("utf-8", "surrogateescape"), base64.b64decode(value + b"=" * (-len(value) % 4))
        except binascii.Error:
            return None
    return None


def _byte(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode())
