"""The attestation of dstack before its version 1, in SCALE (parity-scale-codec): what follows is all that is read of it.

Dstack-TEE/dstack, dstack-attest/src/attestation.rs (312dc605): a byte 0 (version), AttestationQuote (a byte: 0 TDX, 1 TDX of
Google Cloud), Vec<u8> quote, Vec<TdxEvent> event_log. TdxEvent, cc-eventlog/src/tdx.rs: u32 imr, u32 event_type, Vec<u8> digest,
String event, Vec<u8> event_payload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHAT = "dstack attestation"
_MAX_EVENTS = 10_000
_BIG_MODE_BYTES = range(4, 9)
PREFIXES = (b"\0\0", b"\0\1")


def parse_scale(data: bytes) -> Mapping[str, object]:
    """`quote` as bytes and `event_log` as a list, named as in dstack's JSON. Raises MalformedInputError."""
    reader = Reader(memoryview(data), _WHAT)
    if bytes(reader.take(2, "version and kind")) not in PREFIXES:
        raise reader.fail("version and kind", "is not an attestation of a TDX guest in version 0")
    quote = _bytes(reader, "quote")
    count = _compact(reader, "number of events")
    if count > _MAX_EVENTS:
        raise reader.fail("number of events", f"expected at most {_MAX_EVENTS}, found {count}")
    return {"quote": quote, "event_log": [_event(reader) for _ in range(count)]}


def _event(reader: Reader) -> Mapping[str, object]:
    register, event_type = reader.u32("imr"), reader.u32("event_type")
    digest, name, payload = _bytes(reader, "digest"), _bytes(reader, "event"), _bytes(reader, "event_payload")
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise reader.fail("event", "is not UTF-8") from error
    return {"imr": register, "event_type": event_type, "digest": digest, "event": text, "event_payload": payload}


def _bytes(reader: Reader, field: str) -> bytes:
    return bytes(reader.take(_compact(reader, f"length of {field}"), field))


def _compact(reader: Reader, field: str) -> int:
    """Compact<u32>: the two lowest bits say how many bytes there are."""
    first = reader.u8(field)
    mode = first & 3
    if mode == 3:  # noqa: PLR2004 - big-integer mode
        size = (first >> 2) + 4
        if size not in _BIG_MODE_BYTES:
            raise reader.fail(field, f"is an integer of {size} bytes")
        return int.from_bytes(reader.take(size, field), "little")
    rest = reader.take((0, 1, 3)[mode], field)
    return (first | int.from_bytes(rest, "little") << 8) >> 2
