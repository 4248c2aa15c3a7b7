from __future__ import annotations

import base64
import json
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from builders import eventlog as build
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.evidence.quote import parse_quote, read_quote
from teekit_verify.registers.registers import MRTD, pcr, rtmr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

QUOTES = build.ASSETS.parent / "quotes"
V4 = (QUOTES / "phala-v4.bin").read_bytes()
V5 = (QUOTES / "sample-v5.bin").read_bytes()
COS = (build.ASSETS / "gcp-cos113-quote.bin").read_bytes()


def test_fields_at_the_offsets_of_the_specification() -> None:
    for data, version, body in ((V4, 4, 48), (COS, 4, 48), (V5, 5, 54)):
        quote = parse_quote(data)
        assert quote.version == version
        assert quote.attestation_key_name == "ECDSA-P256"
        assert quote.qe_vendor_id.hex() == "939a7233f79c4ca9940a0db3957f0607"  # Intel's, appendix A.3.1
        report = quote.report
        assert report.tee_tcb_svn == data[body : body + 16]
        assert report.mrseam.value == data[body + 16 :][:48]
        assert report.mrsignerseam.value == bytes(48)
        assert report.td_attributes.hex() == "0000001000000000"
        assert report.attribute_names() == ("SEPT_VE_DISABLE",)
        assert report.xfam == data[body + 128 :][:8]
        assert report.value(MRTD).value == data[body + 136 :][:48]
        assert report.mrconfigid == data[body + 184 :][:48]
        assert [report.value(rtmr(index)).value for index in range(4)] == [
            data[body + 328 + 48 * index :][:48] for index in range(4)
        ]
        assert report.report_data == data[body + 520 :][:64]
        assert (report.tee_tcb_svn2 is None, report.mrservicetd is None) == (version == 4, version == 4)


def test_quotes_of_the_data_have_the_registers_that_others_report() -> None:
    """MRTDs and RTMRs as MEASUREMENTS names them for these files; REPORTDATA of dstack's answer from the answer itself."""
    report = json.loads((build.ASSETS / "dstack-quote-report.json").read_text())
    quote = read_quote(build.ASSETS / "dstack-quote-report.json")
    assert quote.report.report_data.hex() == report["report_data"]
    assert quote.report.mrtd.hex.startswith("b24d3b24")
    assert [value.hex[:8] for value in quote.report.rtmrs] == ["2e384326", "a1b79d76", "1e31b59d", "0f787c38"]
    assert parse_quote(V5).report.mrtd.hex.startswith("7348651a")
    assert read_quote(QUOTES / "gcp-v4.json").report.mrtd.hex.startswith("409c0cd3")


def test_the_reference_data_of_a_gcp_nonce() -> None:
    """The nonce of the COS machine is published beside its quote."""
    nonce = (QUOTES / "gcp-cos113-nonce.bin").read_bytes()
    assert parse_quote(COS).report.report_data == nonce


@pytest.mark.parametrize(
    "wrap",
    [
        lambda data: data.hex().encode(),
        lambda data: b"0x" + data.hex().upper().encode() + b"\n",
        lambda data: b"\n".join(data.hex()[i : i + 64].encode() for i in range(0, len(data) * 2, 64)),
        base64.b64encode,
        base64.encodebytes,
        base64.urlsafe_b64encode,
        lambda data: json.dumps(data.hex()).encode(),
        lambda data: json.dumps({"quote": data.hex(), "other": [1]}).encode(),
        lambda data: json.dumps({"td_quote": list(data)}).encode(),
        lambda data: json.dumps({"tdx_quote_base64": base64.urlsafe_b64encode(data).decode()}).encode(),
        lambda data: json.dumps({"tdx": {"quote": base64.b64encode(data).decode()}}).encode(),
        lambda data: data + bytes(3000),
    ],
)
@pytest.mark.parametrize("data", [V4, V5], ids=["v4", "v5"])
def test_forms(wrap: Callable[[bytes], bytes], data: bytes) -> None:
    assert parse_quote(wrap(data)) == parse_quote(data)


def test_what_follows_a_quote_is_kept_apart() -> None:
    """The 39 bytes behind the quote of go-tdx-guest's sample, which it keeps as ExtraBytes, and dcap-qvl passes over."""
    data = (QUOTES / "go-tdx-guest-spr-e4.bin").read_bytes()
    quote = parse_quote(data)
    assert quote.extra_bytes == data[-39:]
    assert len(quote.signed) + 4 + len(quote.signature_data) == len(data) - 39
    assert parse_quote(data[:-39] + b"\0x\0").extra_bytes == b"\0x"
    assert parse_quote(COS).extra_bytes == b""


def _changed(data: bytes, offset: int, layout: str, value: int) -> bytes:
    packed = struct.pack(layout, value)
    return data[:offset] + packed + data[offset + len(packed) :]


BROKEN = {
    "empty": (b"", "quote: version at offset 0x0: needs 2 bytes, 0 are left"),
    "version": (_changed(V4, 0, "<H", 3), "version at offset 0x0: expected 4 or 5, found 3"),
    "TEE type": (_changed(V4, 4, "<I", 0x82), r"TEE type at offset 0x4: expected 0x81 \(TDX\), found 0x82"),
    "body type": (_changed(V5, 48, "<H", 4), "body type at offset 0x30: expected 2 .* found 4"),
    "body size": (_changed(V5, 50, "<I", 584), "body size at offset 0x32: expected 648 for body type 3, found 584"),
    "cut report": (V4[:600], "REPORTDATA at offset 0x238: needs 64 bytes, 32 are left"),
    "signature size": (_changed(V4, 632, "<I", 0xFFFFFFFF), "signature data at offset 0x27c: needs 4294967295 bytes"),
    "text": (b"hello", "text at offset 0x0: is neither hexadecimal nor base64"),
    "no JSON": (b"{", "quote: JSON at offset 0x1: Expecting property name"),
    "JSON without": (
        b'{"a": 1}',
        "JSON at offset 0x0: there is no quote in the field quote or tdx.quote or td_quote or tdx_quote_base64",
    ),
    "JSON number": (b'{"quote": 1}', "there is no quote in the field"),
    "JSON numbers": (b'{"td_quote": [4, 256]}', "td_quote at offset 0x0: is neither text nor a list of numbers"),
    "deep JSON": (b'{"a":' + b"[" * 90_000, "nested too deeply|Expecting"),
    "key twice": (b'{"quote":"","quote":""}', "the key 'quote' occurs twice in one object"),
    "many values": (b'{"a":[' + b"[]," * 100_001 + b"1]}", "more than 100000 values"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_malformed(name: str) -> None:
    data, message = BROKEN[name]
    with pytest.raises(MalformedInputError, match=message):
        parse_quote(data)


def test_quote_of_an_enclave() -> None:
    with pytest.raises(UnsupportedInputError, match="a quote of an SGX enclave, not of a TD"):
        parse_quote(_changed(V4, 4, "<I", 0))


def test_files(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="none: cannot be read: No such file"):
        read_quote(tmp_path / "none")
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate((16 << 20) + 1)
    with pytest.raises(TeekitError, match="large: has more than 16 MiB, too large for a quote"):
        read_quote(large)
    with pytest.raises(TeekitError, match="are too few for a quote"):
        parse_quote(bytes((16 << 20) + 1))


def test_names_of_attributes_and_key_types() -> None:
    data = _changed(_changed(V4, 2, "<H", 9), 48 + 120, "<Q", 1 | 1 << 1 | 1 << 63)
    quote = parse_quote(data)
    assert quote.attestation_key_name == "type 9"
    assert quote.report.attribute_names() == ("DEBUG", "bit 1", "PERFMON")


def test_a_quote_has_no_pcrs() -> None:
    with pytest.raises(TeekitError, match="a TDX quote has no PCR4"):
        parse_quote(V4).report.value(pcr(4))


def test_every_cut_is_our_error() -> None:
    for data in (V4, V5):
        quote = parse_quote(data)
        for size in range(0, len(quote.signed) + 4 + len(quote.signature_data), 13):
            with pytest.raises(MalformedInputError):
                parse_quote(data[:size])


@given(st.integers(0, len(V5) - 1), st.integers(0, 7))
def test_a_flipped_bit_is_our_error_or_another_quote(offset: int, bit: int) -> None:
    data = bytearray(V5)
    data[offset] ^= 1 << bit
    try:
        quote = parse_quote(bytes(data))
    except (MalformedInputError, UnsupportedInputError):
        assert offset < 54 or 702 <= offset < 706  # header, body size; size of the signature data
    else:
        assert quote != parse_quote(V5) or 8 <= offset < 12  # four reserved bytes


@given(st.binary(max_size=80))
@example(b"\xc2\x1e\x80")  # a record separator within a character
def test_any_bytes_are_our_error(data: bytes) -> None:
    with pytest.raises(TeekitError):
        parse_quote(data)
