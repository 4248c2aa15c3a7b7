"""CoRIM: CBOR with the appendix of its specification as the oracle, manifests with a quote's registers, and Trustee's example."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.cbor import Tag, encode
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.evidence.quote import read_quote
from teekit_verify.reference.cbor import Tagged, parse_cbor
from teekit_verify.reference.formats import load_published
from teekit_verify.registers.registers import MRTD, rtmr

ASSETS = Path(__file__).parents[2] / "assets"
REPORT = read_quote(ASSETS / "quotes" / "phala-v4.bin").report
RTMRS = tuple(map(rtmr, range(4)))
SHA384 = 7
TD = {0: {0: Tag(111, bytes.fromhex("6086480186f84d01")), 1: "Intel Corporation", 2: "TD"}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("00", 0),
        ("1818", 24),
        ("1b000000e8d4a51000", 1000000000000),
        ("3903e7", -1000),
        ("f4", False),
        ("f6", None),
        ("c11a514b67b0", Tagged(1, 1363896240)),
        ("4401020304", b"\1\2\3\4"),
        ("62c3bc", "\u00fc"),
        ("8301820203820405", [1, [2, 3], [4, 5]]),
        ("a201020304", {1: 2, 3: 4}),
        ("826161a161626163", ["a", {"b": "c"}]),
    ],
)
def test_examples_of_rfc_8949_appendix_a(text: str, value: object) -> None:
    assert parse_cbor(bytes.fromhex(text), "x") == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "head"),
        ("0000", "end at offset 0x1: 1 bytes follow"),
        ("f97c00", "an indefinite length or a number of another kind is not supported"),
        ("5f42010243030405ff", "an indefinite length"),
        ("9fff", "an indefinite length"),
        ("9bffffffffffffffff", "count at offset 0x9: 18446744073709551615 items in 0 bytes"),
        ("5bffffffffffffffff", "byte string"),
        ("a201020103", "key at offset 0x4: occurs twice"),
        ("a1f402", "or is neither an integer nor a string"),
        ("61ff", "text at offset 0x2: is not UTF-8"),
        ("f7", "simple value at offset 0x1: 23 is not supported"),
        ("81" * 40 + "00", "more than 32 levels"),
    ],
)
def test_cbor_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(MalformedInputError, match=message):
        parse_cbor(bytes.fromhex(text), "x")


@given(st.binary(max_size=64))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse_cbor(data, "x")
    except MalformedInputError:
        return


def _digest(register: Any) -> list[Any]:
    return [SHA384, REPORT.value(register).value]


def _corim(*claims: Any, environment: Any = TD, **more: Any) -> bytes:
    comid = encode({1: {0: "td"}, 4: {0: [[environment, list(claims)]]}, **more})
    return encode(Tag(501, {0: "the td", 1: [Tag(506, comid)], 3: Tag(111, bytes.fromhex("6086480186f84d011001"))}))


def _stated(tmp_path: Path, data: bytes) -> dict[Any, list[str]]:
    path = tmp_path / "td.corim"
    path.write_bytes(data)
    (values,) = load_published(path).values
    (registers,) = values.platforms.values()
    return {
        register: [digest.hex for value in item.acceptable for digest in value.register.values or ()]
        for register, item in registers.items()
    }


def _quoted(*registers: Any) -> dict[Any, list[str]]:
    return {register: [REPORT.value(register).hex] for register in registers}


def test_mrtee_and_integrity_registers_are_the_registers_of_a_td(tmp_path: Path) -> None:
    numbered = {1: {-83: _digest(MRTD), 14: {register.index: [_digest(register)] for register in RTMRS}}}
    assert _stated(tmp_path, _corim(numbered)) == _quoted(MRTD, *RTMRS)
    named = [{0: str(register), 1: {2: [[1, bytes(32)], _digest(register)]}} for register in (MRTD, *RTMRS)]
    assert _stated(tmp_path, _corim(*named)) == _quoted(MRTD, *RTMRS)


def test_wrappers_of_older_drafts_and_sets(tmp_path: Path) -> None:
    member = Tag(60020, [6, [_digest(MRTD), [SHA384, bytes(48)]]])
    data = encode(Tag(500, Tag(502, 0)))[:-1] + _corim({1: {-83: member}}, {0: 70, 1: {11: "Intel"}})
    assert _stated(tmp_path, data) == {MRTD: [REPORT.value(MRTD).hex, "00" * 48]}


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ([{1: {-83: Tag(60020, [7, [_digest(MRTD)]])}}], "only 'member' of a set of digests is supported"),
        ([{1: {-83: [_digest(MRTD), [SHA384, bytes(48)]]}}], "has several SHA-384 digests, expected one"),
        ([{1: {-83: [1, bytes(32)]}}], "expected 1 to 1000 digests in SHA-384, found 0"),
        ([{1: {-83: [SHA384, bytes(47)]}}], "a SHA-384 digest has 48 bytes, found 47"),
        ([{1: {14: {4: [_digest(MRTD)]}}}], "integrity-registers: has no register '4'"),
        ([{1: {-83: _digest(MRTD)}}, {1: {-83: [SHA384, bytes(48)]}}], "is MRTD a second time, with another value"),
        ([{1: {-83: 1}}], "mrtee: expected an array"),
        ([1], "expected a map"),
        ([], "is a CoRIM without reference values of MRTD or an RTMR"),
    ],
)
def test_a_manifest_that_cannot_be_compared_is_refused(tmp_path: Path, claims: list[Any], message: str) -> None:
    with pytest.raises(TeekitError, match=message):
        _stated(tmp_path, _corim(*claims))


def test_a_manifest_of_something_else_and_a_signed_one(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedInputError, match="is a CoRIM without reference values of MRTD or an RTMR"):
        load_published(ASSETS / "formats" / "roadrunner.cbor")
    path = tmp_path / "signed.corim"
    path.write_bytes(encode(Tag(18, [b"", {}, None, b""])))
    with pytest.raises(TeekitError, match="expected four parts, with the CoRIM in the third"):
        load_published(path)


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_payload_of_a_signature_is_read_and_the_signature_named(tmp_path: Path, *, wrapped: bool) -> None:
    """RFC 9052, 4.2: COSE_Sign1 = [protected, unprotected, payload, signature]; draft-ietf-rats-corim puts tag 501 into the payload."""
    plain = (ASSETS / "formats" / "td.corim").read_bytes()
    signed = Tag(18, [b"\xa1\x01\x38\x22", {}, plain, bytes(96)])
    path = tmp_path / "signed.corim"
    path.write_bytes(encode(Tag(502, signed) if wrapped else signed))
    (found,), (expected,) = (load_published(item).values for item in (path, ASSETS / "formats" / "td.corim"))
    assert found.platforms == expected.platforms
    assert found.not_compared[0] == (
        "signature",
        "COSE_Sign1: the signature is not checked, so the file is only as good as the way it came",
    )
