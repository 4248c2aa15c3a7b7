"""Every byte of a UKI is measured, refused, or listed with a reason."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.pe import CERTIFICATE_ENTRY_OFFSET, CHECKSUM_OFFSET, Row, build_pe, section_table_offset
from builders.uki import build_uki, default_sections, stub_rows
from teekit_verify.artifacts.pe import Span
from teekit_verify.artifacts.uki import parse_uki
from teekit_verify.core.errors import TeekitError
from teekit_verify.prediction.coverage import unmeasured
from teekit_verify.prediction.uki import predict_uki

SIGNED = build_uki(trailing=b"overlay!", certificate=b"c" * 24)
_RICH = [
    *default_sections(),
    *(
        (".ucode", b"microcode"),
        (".hwids", b"h" * 33),
        (".pcrpkey", b"key"),
        (".pcrsig", b"{}"),
        (".sbat", b"sbat,1\n"),
    ),
]
_PROFILES = [
    *((".profile", b"ID=main\n"), (".cmdline", b"main"), (".profile", b"ID=debug\n"), (".cmdline", b"debug")),
    (".initrd", b"of another profile"),
]
UKIS = {
    "common": SIGNED,
    "256, microcode and signatures": build_uki("256.4", [*_RICH], certificate=b"c" * 8),
    "256, a name that begins as .dtb": build_uki("256.4", [*_RICH, (".dtbauto", b"dtb")]),
    "257, profiles": build_uki("257.13", [*_RICH, *_PROFILES], certificate=b"c" * 8),
    "260, profiles": build_uki("260.4", [*_RICH, *_PROFILES], trailing=b"overlay!"),
}
REFUSED = {
    "257, device tree for some machines": build_uki("257.13", [*_RICH, (".dtbauto", b"dtb")]),
    "260, firmware for some machines": build_uki("260.4", [*_RICH, (".efifw", b"fw")]),
}


def listed(data: bytes) -> set[int]:
    """The offsets of bytes that are listed as unmeasured."""
    return {n for part in unmeasured(parse_uki(data)) for n in range(part.span.start, part.span.stop)}


LISTED = {name: listed(data) for name, data in UKIS.items()}


def fingerprint(data: bytes) -> object:
    """Everything that is predicted, or the refusal."""
    try:
        predictions = predict_uki(parse_uki(data), vtpm=False)
    except TeekitError as error:
        return error.message
    return [(found.register, [event.digests for event in found.events], found.missing) for found in predictions]


REFERENCE = {name: fingerprint(data) for name, data in UKIS.items()}


def flipped(data: bytes, offset: int, mask: int) -> bytes:
    changed = bytearray(data)
    changed[offset] ^= mask
    return bytes(changed)


@pytest.mark.parametrize("name", UKIS)
def test_the_reference_is_a_prediction(name: str) -> None:
    assert isinstance(REFERENCE[name], list)


@pytest.mark.parametrize("name", REFUSED)
def test_what_depends_on_the_machine_is_refused(name: str) -> None:
    message = fingerprint(REFUSED[name])
    assert isinstance(message, str)
    assert "whether it is used and measured depends on the machine" in message


def test_unmeasured_ranges_and_reasons() -> None:
    parts = unmeasured(parse_uki(SIGNED))
    assert [(part.span, part.reason.split(":")[0]) for part in parts] == [
        (Span(CHECKSUM_OFFSET, CHECKSUM_OFFSET + 4), "PE CheckSum field"),
        (Span(CERTIFICATE_ENTRY_OFFSET, CERTIFICATE_ENTRY_OFFSET + 8), "certificate table entry"),
        (Span(len(SIGNED) - 24, len(SIGNED)), "certificate table"),
    ]


@pytest.mark.parametrize("offset", range(0, 1024, 3))
def test_header_bytes(offset: int) -> None:
    assert (fingerprint(flipped(SIGNED, offset, 0x01)) == REFERENCE["common"]) <= (offset in LISTED["common"])


@given(name=st.sampled_from(sorted(UKIS)), place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
@settings(max_examples=600)
def test_any_flipped_byte_changes_a_register_or_is_listed(name: str, place: float, mask: int) -> None:
    offset = int(place * len(UKIS[name]))
    assert (fingerprint(flipped(UKIS[name], offset, mask)) == REFERENCE[name]) <= (offset in LISTED[name])


@pytest.mark.parametrize("name", UKIS)
def test_each_byte_of_each_section(name: str) -> None:
    """Every eleventh byte of what was put into the UKI, the stub and sections that this boot does not use included."""
    uki = parse_uki(UKIS[name])
    offsets = [n for row in uki.sections for n in range(row.content.start, row.content.stop, 11)]
    unchanged = [n for n in offsets if fingerprint(flipped(UKIS[name], n, 0x80)) == REFERENCE[name]]
    assert set(unchanged) <= LISTED[name]
    assert len(offsets) > 100


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
