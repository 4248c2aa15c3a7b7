"""The TDX quote of a go-tpm-tools attestation: a real quote, taken apart as proto/tdx.proto of go-tdx-guest (91f9a52f) has its fields."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from teekit_verify.core.errors import MalformedInputError
from teekit_verify.evidence.quote import parse_quote
from teekit_verify.evidence.tpm_tools import parse_tpm_tools

QUOTES = Path(__file__).parents[2] / "assets" / "quotes"


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _message(*values: bytes | int, first: int = 1) -> bytes:
    return b"".join(_field(number, value) for number, value in enumerate(values, first))


def _cut(data: bytes, *sizes: int) -> list[bytes]:
    parts, place = [], 0
    for size in sizes:
        parts.append(data[place : place + size])
        place += size
    return parts


def _body(data: bytes) -> bytes:
    svn, seam, signer, *attributes = _cut(data, 16, 48, 48, 8, 8, 8, 48, 48, 48, 48)
    rtmrs = [data[328 + 48 * index : 376 + 48 * index] for index in range(4)]
    packed = _message(svn, seam, signer, *attributes) + b"".join(_field(11, value) for value in rtmrs)
    packed += _field(12, data[520:584])
    return packed + (_field(13, data[584:600]) + _field(14, data[600:648]) if len(data) > 584 else b"")


def _signature(data: bytes) -> bytes:
    signature, key, kind, size = data[:64], data[64:128], *struct.unpack("<HI", data[128:134])
    inner = data[134 : 134 + size]
    report, report_signature = inner[:384], inner[384:448]
    (auth_size,) = struct.unpack("<H", inner[448:450])
    auth, rest = inner[450 : 450 + auth_size], inner[450 + auth_size :]
    chain_kind, chain_size = struct.unpack("<HI", rest[:6])
    cpu, misc, *others = _cut(report, 16, 4, 28, 16, 32, 32, 32, 96, 2, 2, 60, 64)
    numbers = [struct.unpack("<H", value)[0] for value in others[6:8]]
    packed = _message(cpu, struct.unpack("<I", misc)[0], *others[:6], *numbers, *others[8:])
    chain = _message(chain_kind, chain_size, rest[6 : 6 + chain_size])
    certified = _message(packed, report_signature, _message(auth_size, auth), chain)
    return _message(signature, key, _message(kind, size, certified))


def _attestation(data: bytes) -> bytes:
    version, key_type, tee = struct.unpack("<HHI", data[:8])
    header = _message(version, key_type, tee, data[8:10], data[10:12], data[12:28], data[28:48])
    start, body = 48, _body(data[48:632])
    if version == 5:
        kind, size = struct.unpack("<HI", data[48:54])
        start, body = 6 + size - 584 + 48, _message(kind, size, _body(data[54 : 54 + size]))
    (size,) = struct.unpack("<I", data[start + 584 : start + 588])
    signature = _signature(data[start + 588 : start + 588 + size])
    return _field(1, b"key") + _field(9, _message(header, body, size, signature))


@pytest.mark.parametrize("name", ["phala-v4.bin", "sample-v5.bin"])
def test_a_quote_is_put_together_as_it_was_signed(name: str) -> None:
    data = (QUOTES / name).read_bytes()
    quote = parse_quote(data)
    found = parse_tpm_tools(_attestation(data))["quote"]
    assert found == (quote.signed + len(quote.signature_data).to_bytes(4, "little") + quote.signature_data)
    assert parse_quote(_attestation(data)).signed == quote.signed


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "are not those of an attestation"),
        (_field(1, 1), "are not those of an attestation"),
        (_field(20, b"x"), "are not those of an attestation"),
        (b"\x0a\x05x", "field 1 at offset 0x2: needs 5 bytes"),
        (b"\x0b", "field 1 at offset 0x1: has wire type 3"),
        (b"\x80" * 11, "integer at offset 0xa: has more than 10 bytes"),
        (_field(1, b"") * 5000, "has more than 4096 fields"),
    ],
)
def test_other_protobuf(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInputError, match=message):
        parse_tpm_tools(data)
