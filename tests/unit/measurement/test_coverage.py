"""Every byte of a UKI is measured, refused, or listed with a reason."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.pe import CERTIFICATE_ENTRY_OFFSET, CHECKSUM_OFFSET, Row, build_pe, section_table_offset
from builders.uki import build_uki, stub_rows
from teekit_verify.artifacts.pe import Span
from teekit_verify.artifacts.uki import parse_uki
from teekit_verify.core.errors import TeekitError
from teekit_verify.measurement.boot import predict_uki
from teekit_verify.measurement.coverage import unmeasured

SIGNED = build_uki(trailing=b"overlay!", certificate=b"c" * 24)
LISTED = {n for part in unmeasured(parse_uki(SIGNED)) for n in range(part.span.start, part.span.stop)}


def fingerprint(data: bytes) -> object:
    """Everything that is predicted, or the refusal."""
    try:
        predictions = predict_uki(parse_uki(data), vtpm=False)
    except TeekitError as error:
        return error.message
    return [(found.register, [event.digests for event in found.events], found.missing) for found in predictions]


REFERENCE = fingerprint(SIGNED)


def flipped(offset: int, mask: int) -> bytes:
    data = bytearray(SIGNED)
    data[offset] ^= mask
    return bytes(data)


def test_the_reference_is_a_prediction() -> None:
    assert isinstance(REFERENCE, list)


def test_unmeasured_ranges_and_reasons() -> None:
    parts = unmeasured(parse_uki(SIGNED))
    assert [(part.span, part.reason.split(":")[0]) for part in parts] == [
        (Span(CHECKSUM_OFFSET, CHECKSUM_OFFSET + 4), "PE CheckSum field"),
        (Span(CERTIFICATE_ENTRY_OFFSET, CERTIFICATE_ENTRY_OFFSET + 8), "certificate table entry"),
        (Span(len(SIGNED) - 24, len(SIGNED)), "certificate table"),
    ]


@pytest.mark.parametrize("offset", range(0, 1024, 3))
def test_header_bytes(offset: int) -> None:
    assert (fingerprint(flipped(offset, 0x01)) == REFERENCE) <= (offset in LISTED)


@given(offset=st.integers(0, len(SIGNED) - 1), mask=st.integers(1, 255))
@settings(max_examples=400, deadline=2000)
def test_any_flipped_byte_changes_a_register_or_is_listed(offset: int, mask: int) -> None:
    assert (fingerprint(flipped(offset, mask)) == REFERENCE) <= (offset in LISTED)


def test_a_gap_between_headers_and_sections_is_listed() -> None:
    """Steps 13 to 16 of the Authenticode digest: only what a section holds is hashed, and then the file's end."""
    data = bytearray(build_uki())
    first = section_table_offset()
    size, offset = struct.unpack_from("<II", data, first + 16)
    struct.pack_into("<II", data, first + 16, size - 16, offset + 16)
    listed = unmeasured(parse_uki(bytes(data)))
    assert (Span(offset, offset + 16), "between sections: no part of an Authenticode digest") in [
        (part.span, part.reason) for part in listed
    ]
    before = fingerprint(bytes(data))
    data[offset] ^= 1
    assert fingerprint(bytes(data)) == before


def test_without_a_certificate_directory_only_the_checksum_is_listed() -> None:
    rows = [*stub_rows("257"), Row(".linux", b"x"), Row(".cmdline", b"quiet")]
    parts = unmeasured(parse_uki(build_pe(rows, directories=4)))
    assert [part.span for part in parts] == [Span(CHECKSUM_OFFSET, CHECKSUM_OFFSET + 4)]
