"""Event logs made field by field, as the TCG PC Client Platform Firmware Profile 1.05 r23, 10.2 lays them out."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

ASSETS = Path(__file__).parents[1] / "assets" / "eventlogs"

SHA1, SHA256, SHA384, SM3 = 0x4, 0xB, 0xC, 0x12
SIZES = {SHA1: 20, SHA256: 32, SHA384: 48, SM3: 32}
NAMES = {SHA1: "sha1", SHA256: "sha256", SHA384: "sha384"}
END = b"\xff\xff\xff\xff"


def spec_id(*algorithms: int, signature: bytes = b"Spec ID Event03\0", vendor: bytes = b"") -> bytes:
    """The content of the first record."""
    listed = b"".join(struct.pack("<HH", algorithm, SIZES[algorithm]) for algorithm in algorithms)
    return signature + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(algorithms)) + listed + bytes([len(vendor)]) + vendor


def first_record(content: bytes, *, event_type: int = 3) -> bytes:
    return struct.pack("<II20xI", 0, event_type, len(content)) + content


def header(*algorithms: int) -> bytes:
    return first_record(spec_id(*algorithms))


def record(register: int, event_type: int, digests: dict[int, bytes], data: bytes = b"") -> bytes:
    packed = b"".join(struct.pack("<H", algorithm) + digest for algorithm, digest in digests.items())
    return struct.pack("<III", register, event_type, len(digests)) + packed + struct.pack("<I", len(data)) + data


def measured(register: int, event_type: int, data: bytes, *algorithms: int) -> bytes:
    """A record whose digests are those of its data."""
    digests = {algorithm: hashlib.new(NAMES[algorithm], data).digest() for algorithm in algorithms}
    return record(register, event_type, digests, data)


def quote_rtmrs(quote: bytes) -> tuple[bytes, ...]:
    """RTMR0..3 of a v4 quote: header of 48 bytes, then the TD report body with them from byte 328
    (Intel TDX DCAP quote generation library, quote format version 4, A.3.2)."""
    assert quote[:2] == b"\4\0"
    return tuple(quote[48 + 328 + 48 * index :][:48] for index in range(4))


def dstack_report() -> tuple[bytes, bytes]:
    """The dstack machine's event log, as CCEL bytes made from its JSON form, and its quote."""
    report = json.loads((ASSETS / "dstack-quote-report.json").read_text())
    records = (
        record(event["imr"] + 1, event["event_type"], {SHA384: bytes.fromhex(event["digest"])}, _payload(event))
        for event in json.loads(report["event_log"])
    )
    return header(SHA384) + b"".join(records) + END, bytes.fromhex(report["quote"])


def _payload(event: dict[str, str]) -> bytes:
    return bytes.fromhex(event["event_payload"])
