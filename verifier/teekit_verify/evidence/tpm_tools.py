"""Attestations of google/go-tpm-tools (proto/attest.proto) in protobuf: the event log, and the TDX quote, field by field.

The quote is that of google/go-tdx-guest (proto/tdx.proto, QuoteV4 and QuoteV5; abi/abi.go lays it out): the fields in the order of a quote's
bytes. Its signature tells whether they were put together as they were signed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHAT = "attestation of go-tpm-tools"
_MAX_FIELDS = 4096
_VARINT, _FIXED64, _CHUNK, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_EVENT_LOG, _CANONICAL_LOG, _TDX = 3, 5, 9
_KNOWN_FIELDS = range(1, 10)
_VERSION_5 = 5


@dataclass(slots=True)
class _Message:
    """Fields by number: integers, and what is written as a run of bytes."""

    integers: dict[int, int] = field(default_factory=dict)
    chunks: dict[int, list[bytes]] = field(default_factory=dict)

    def one(self, number: int) -> bytes:
        """The last one, as protobuf has it; empty if there is none."""
        return self.chunks.get(number, [b""])[-1]

    def inner(self, number: int) -> _Message:
        return _parse(self.one(number))

    def u16(self, number: int) -> bytes:
        return (self.integers.get(number, 0) & 0xFFFF).to_bytes(2, "little")

    def u32(self, number: int) -> bytes:
        return (self.integers.get(number, 0) & 0xFFFFFFFF).to_bytes(4, "little")


def parse_tpm_tools(data: bytes) -> Mapping[str, bytes]:
    """`event_log`, `canonical_event_log` and `quote`, those that there are. Raises MalformedInputError for other protobuf."""
    message = _parse(data)
    numbers = message.integers.keys() | message.chunks.keys()
    if not numbers or message.integers or not numbers <= set(_KNOWN_FIELDS):
        raise Reader(memoryview(data), _WHAT).fail("fields", f"are not those of an attestation: {sorted(numbers)[:8]}")
    found = {"event_log": message.one(_EVENT_LOG), "canonical_event_log": message.one(_CANONICAL_LOG)}
    if message.one(_TDX):
        found["quote"] = _quote(message.inner(_TDX))
    return {name: value for name, value in found.items() if value}


def _quote(quote: _Message) -> bytes:
    header, signed = quote.inner(1), quote.inner(4)
    has_descriptor = header.integers.get(1) == _VERSION_5
    body = quote.inner(2)
    head = header.u16(1) + header.u16(2) + header.u32(3) + b"".join(header.one(number) for number in range(4, 8))
    descriptor = body.u16(1) + body.u32(2) if has_descriptor else b""
    body = body.inner(3) if has_descriptor else body
    report = b"".join(b"".join(body.chunks.get(number, [])) for number in range(1, 15))
    signature = signed.one(1) + signed.one(2) + _certification(signed.inner(3))
    return head + descriptor + report + len(signature).to_bytes(4, "little") + signature


def _certification(data: _Message) -> bytes:
    inner = data.inner(3)
    auth, chain = inner.inner(3), inner.inner(4)
    certified = _enclave_report(inner.inner(1)) + inner.one(2) + auth.u16(1) + auth.one(2)
    certified += chain.u16(1) + chain.u32(2) + chain.one(3)
    return data.u16(1) + data.u32(2) + certified


def _enclave_report(report: _Message) -> bytes:
    """EnclaveReport: cpu_svn, misc_select, reserved1, attributes, mr_enclave, reserved2, mr_signer, reserved3, isv_prod_id, isv_svn,
    reserved4, report_data.
    """
    return (
        report.one(1)
        + report.u32(2)
        + b"".join(report.one(number) for number in range(3, 9))
        + report.u16(9)
        + report.u16(10)
        + report.one(11)
        + report.one(12)
    )


def _parse(data: bytes) -> _Message:
    reader, message = Reader(memoryview(data), _WHAT), _Message()
    for _ in range(_MAX_FIELDS):
        if not reader.remaining:
            return message
        key = _varint(reader)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            message.integers[number] = _varint(reader)
        elif wire_type == _CHUNK:
            message.chunks.setdefault(number, []).append(bytes(reader.take(_varint(reader), f"field {number}")))
        elif wire_type in {_FIXED64, _FIXED32}:
            reader.take(8 if wire_type == _FIXED64 else 4, f"field {number}")
        else:
            raise reader.fail(f"field {number}", f"has wire type {wire_type}")
    raise reader.fail("end", f"has more than {_MAX_FIELDS} fields")


def _varint(reader: Reader) -> int:
    value = 0
    for position in range(_MAX_VARINT_BYTES):
        byte = reader.u8("integer")
        value |= (byte & 0x7F) << (7 * position)
        if not byte & 0x80:
            return value
    raise reader.fail("integer", f"has more than {_MAX_VARINT_BYTES} bytes")
