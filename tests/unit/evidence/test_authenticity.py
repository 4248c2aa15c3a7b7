"""Quotes of real machines verify to Intel's root; nothing of them can be changed unnoticed."""

from __future__ import annotations

import json
import random
import struct
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dcap_qvl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import quotes as build
from teekit_verify.appraisal.guest.policy import read_root
from teekit_verify.appraisal.guest.quote import QuotePolicy, appraise_quote
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.core.outcome import Outcome
from teekit_verify.evidence import authenticity
from teekit_verify.evidence.authenticity import parse_signature
from teekit_verify.evidence.collateral import read_collateral
from teekit_verify.evidence.quote import parse_quote, read_quote
from teekit_verify.evidence.sgx_extension import read_platform
from teekit_verify.wording.checks import detail_of

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.evidence.quote import Quote

ROOT = read_root(None)
AUTHORITY = build.authority()


def accepted(data: bytes, at: datetime = build.NOW) -> bool:
    """What exit status 0 would say of these bytes."""
    try:
        quote = parse_quote(data)
        policy = QuotePolicy(at=at, trusted_root=ROOT)
        return appraise_quote(quote, parse_signature(quote), policy).is_acceptable
    except TeekitError:
        return False


def raw(quote: Quote) -> bytes:
    return quote.signed + len(quote.signature_data).to_bytes(4, "little") + quote.signature_data


@pytest.mark.parametrize("name", build.REAL)
def test_real_quotes_verify_to_intels_root(name: str) -> None:
    quote = read_quote(build.REAL[name])
    appraisal = appraise_quote(quote, parse_signature(quote), QuotePolicy(at=build.NOW, trusted_root=ROOT))
    assert [check.outcome for check in appraisal.authentic] == [Outcome.MATCH] * 10 + [Outcome.NOT_CHECKED] * 2
    assert appraisal.is_acceptable
    assert accepted(raw(quote))


def _regions(data: bytes) -> dict[str, range]:
    """Every region of a quote whose certification data are of the usual sizes, by its first and last byte."""
    signed = len(parse_quote(data).signed)
    start = signed + 4
    auth = start + 134 + 448
    auth_end = auth + 2 + struct.unpack_from("<H", data, auth)[0]
    end = start + struct.unpack_from("<I", data, signed)[0]
    marks = {
        "header": 48,
        "body": signed,
        "signature size": start,
        "signature": start + 64,
        "attestation key": start + 128,
        "certification type and size": start + 134,
        "QE report": start + 134 + 384,
        "QE report signature": auth,
        "QE authentication data": auth_end,
        "PCK certification type and size": auth_end + 6,
        "certificates": end,
    }
    starts = [0, *marks.values()]
    return {name: range(first, last) for (name, last), first in zip(marks.items(), starts, strict=False)}


@pytest.mark.parametrize("name", ["v5", "cos", "phala"])
def test_no_changed_byte_is_accepted(name: str) -> None:
    """Each byte of the small regions, 60 of the large ones, each changed by one bit, by all bits, and to 0."""
    data = raw(read_quote(build.REAL[name]))
    chance = random.Random(name)  # noqa: S311 - which bytes are sampled is no secret
    tried = 0
    for region, places in _regions(data).items():
        assert places, region
        for place in sorted(chance.sample(places, min(len(places), 60))):
            for value in {data[place] ^ 1 << chance.randrange(8), data[place] ^ 0xFF, 0} - {data[place]}:
                changed = data[:place] + bytes([value]) + data[place + 1 :]
                assert not accepted(changed), f"{region}, byte {place:#x} changed to {value:#x}"
                tried += 1
    assert tried > 1000


def test_the_end_of_the_certificates() -> None:
    """The last bytes are text around the certificates, which no signature covers."""
    data = raw(read_quote(build.REAL["phala"]))
    for place in range(len(data) - 30, len(data)):
        for value in set(range(256)) - {data[place]}:
            assert not accepted(data[:place] + bytes([value]) + data[place + 1 :])


@given(st.integers(0, 4935))
def test_no_beginning_of_a_quote_is_accepted(size: int) -> None:
    data = build.REAL["phala"].read_bytes()
    assert len(data.rstrip(b"\0")) == 4935
    assert accepted(data[:4936])
    assert not accepted(data[:size])


@given(st.data())
def test_hostile_signature_data_raises_only_our_errors(data: st.DataObject) -> None:
    made = build.quote(AUTHORITY)
    quote = parse_quote(made)
    content = bytearray(quote.signature_data)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    changed = replace(quote, signature_data=bytes(content[: data.draw(st.integers(0, len(content)))]))
    try:
        signature = parse_signature(changed)
    except TeekitError:
        return
    appraisal = appraise_quote(changed, signature, QuotePolicy(at=build.NOW, trusted_root=AUTHORITY.root))
    assert appraisal.is_authentic == (changed.signature_data == quote.signature_data)


def test_go_tdx_guest_says_the_same_of_the_v5_sample() -> None:
    """verify_test.go, TestRawQuoteV5VerifyWithoutCollateral: it verifies at this moment; before its PCK certificate it cannot."""
    quote = read_quote(build.REAL["v5"])
    signature = parse_signature(quote)
    before = datetime(2026, 1, 1, tzinfo=UTC)
    assert appraise_quote(quote, signature, QuotePolicy(at=build.NOW, trusted_root=ROOT)).is_authentic
    early = appraise_quote(quote, signature, QuotePolicy(at=before, trusted_root=ROOT))
    assert [detail_of(check) for check in early.authentic if check.outcome is Outcome.MISMATCH] == [
        "the PCK certificate is valid from 2026-01-27 14:36:27 UTC only"
    ]


QUOTES = [
    *build.REAL.values(),
    *(build.ASSETS / "azure" / f"{name}.json" for name in ("coco-v1", "flashbots")),
    *(build.ASSETS / "quotes" / f"{name}.bin" for name in ("go-tdx-guest-spr-e4", "dcap-qvl-outdated")),
]


@pytest.mark.parametrize("path", QUOTES, ids=lambda path: path.name)
def test_dcap_qvl_reads_the_same_fields(path: Path) -> None:
    """Also of the quote with something behind it."""
    quote = read_quote(path)
    report, peer = quote.report, dcap_qvl.parse_quote(raw(quote) + quote.extra_bytes).report
    assert report.mrtd.value == peer.mr_td
    assert [item.value for item in report.rtmrs] == [peer.rt_mr0, peer.rt_mr1, peer.rt_mr2, peer.rt_mr3]
    assert (report.report_data, report.td_attributes, report.xfam) == (peer.report_data, peer.td_attributes, peer.xfam)
    assert (report.mrseam.value, report.mrsignerseam.value) == (peer.mr_seam, peer.mr_signer_seam)
    assert (report.mrconfigid, report.mrowner, report.mrownerconfig) == (
        peer.mr_config_id,
        peer.mr_owner,
        peer.mr_owner_config,
    )
    assert (report.tee_tcb_svn, report.seam_attributes) == (peer.tee_tcb_svn, peer.seam_attributes)


def test_the_platform_that_dcap_qvl_reads_from_the_same_quote() -> None:
    for path in build.REAL.values():
        quote = read_quote(path)
        platform = read_platform(parse_signature(quote).chain.leaf)
        oracle = dcap_qvl.parse_quote(raw(quote)).pck_extension()
        assert platform.fmspc == oracle.fmspc
        assert platform.pce_id == oracle.pce_id
        assert platform.pce_svn == oracle.pce_svn
        assert bytes(platform.components) == oracle.cpu_svn


def test_the_quoting_enclave_is_the_one_that_intel_names() -> None:
    """Against the identity that Intel signed, kept beside the Phala quote."""
    document = json.loads((build.ASSETS / "quotes" / "phala-v4-collateral.json").read_text())
    identity = json.loads(document["qe_identity"])
    assert identity["id"] == "TD_QE"
    assert bytes.fromhex(identity["mrsigner"]) == authenticity._TD_QE_MRSIGNER
    assert identity["isvprodid"] == authenticity._TD_QE_PRODUCT
    assert bytes.fromhex(identity["attributes"]) == authenticity._TD_QE_ATTRIBUTES
    assert bytes.fromhex(identity["attributesMask"]) == authenticity._TD_QE_ATTRIBUTES_MASK


def test_keys_and_certification_that_are_not_supported() -> None:
    cases = [
        ({"key_type": 3}, "attestation keys of ECDSA-P384 are not supported, only ECDSA-P256"),
        ({"outer_type": 5}, "QE certification data of type 5 is not supported, only 6"),
        ({"inner_type": 3}, "PCK certification data of type 3 is not supported, only 5"),
    ]
    for options, message in cases:
        with pytest.raises(UnsupportedInputError) as caught:
            parse_signature(parse_quote(build.quote(AUTHORITY, **options)))  # type: ignore[arg-type]
        assert str(caught.value) == message


def test_what_is_not_laid_out_as_it_should_be() -> None:
    pem = build.pem(*AUTHORITY.chain)
    cases: list[tuple[dict[str, object], str]] = [
        ({"after": b"\0\0"}, "PCK certification data at offset"),
        ({"text": b"no certificates"}, "certificate chain: PEM at offset 0x0: cannot be read: "),
        ({"text": b""}, "certificate chain: PEM at offset 0x0: cannot be read: "),
        ({"chain": AUTHORITY.chain[:2]}, "certificate chain: PEM at offset 0x0: expected 3 certificates, found 2"),
        ({"chain": (*AUTHORITY.chain, AUTHORITY.root)}, "expected 3 certificates, found 4"),
        ({"text": b"x\n" + pem}, "PEM at offset 0x0: there is something besides three certificates"),
        ({"text": pem + b"\0\0"}, "there is something besides three certificates"),
        ({"text": pem * 40}, "certificate chain: size at offset 0x0: expected at most 65536 bytes, found "),
    ]
    for options, message in cases:
        with pytest.raises(MalformedInputError) as caught:
            parse_signature(parse_quote(build.quote(AUTHORITY, **options)))  # type: ignore[arg-type]
        assert message in str(caught.value)


@pytest.mark.parametrize(
    "form", [lambda pem: pem + b"\0", lambda pem: pem[:-1], lambda pem: pem.replace(b"\n", b"\r\n")]
)
def test_forms_of_certificates_that_tools_write(form: object) -> None:
    pem = build.pem(*AUTHORITY.chain)
    assert callable(form)
    assert parse_signature(parse_quote(build.quote(AUTHORITY, text=form(pem)))).chain.leaf == AUTHORITY.pck


@pytest.mark.parametrize(
    ("extension", "message"),
    [
        (b"", "there is none"),
        (b"\x30", "needs 1 bytes, 0 are left"),
        (b"\x04\x00", "expected one sequence"),
        (build.der(0x30, b"\x04\x00"), "expected an identifier of Intel's and a value"),
        (build.der(0x30, build.entry((4,), b"\x04\x00"), build.entry((4,), b"\x04\x00")), "(4,) occurs twice"),
        (build.der(0x30), "2 at offset 0x0: is not there, or has another type"),
        (build.sgx_extension(fmspc=bytes(5)), "4 at offset 0x0: expected 6 bytes, found 5"),
        (b"\x30\x80\x00\x00", "is longer than an extension can be"),
        (b"\x30\x83\x00\x00\x00", "is longer than an extension can be"),
    ],
)
def test_sgx_extensions_that_are_none(extension: bytes, message: str) -> None:
    """The certificate is otherwise sound: what the extension says is not part of authenticity."""
    authority = build.authority(extension=extension) if extension else build.authority(pck={"extensions": []})
    with pytest.raises(MalformedInputError) as caught:
        read_platform(authority.pck)
    assert message in str(caught.value)


def test_what_a_sgx_extension_says() -> None:
    platform = read_platform(build.authority().pck)
    assert platform.fmspc == build.FMSPC
    assert (platform.pce_id, platform.pce_svn, platform.components) == (bytes(2), 5, (5,) * 16)


SPR = (build.ASSETS / "quotes" / "go-tdx-guest-spr-e4.bin").read_bytes()
"""go-tdx-guest adds 39 bytes "extra bytes(only for testing purpose)", which it reads over and this program refuses."""
SPR_TIME = datetime(2023, 7, 1, 1, tzinfo=UTC)
PEER_CHANGES = [
    (0x00, 3),
    (0x278, 0x10),
    (0x1343, 0x32),
    (0x1329, 0x32),
    (0xF5F, 0x32),
    (0xB77, 0x32),
    (0x1E, 0x32),
    (0x3C, 0x32),
]
"""Offsets and values of go-tdx-guest's verify_test.go, TestNegativeVerification: each is refused."""


def test_go_tdx_guest_verifies_its_v4_sample_too() -> None:
    """Its verify package accepts this quote, and its validate package does not ask for SEPT_VE_DISABLE; dcap-qvl and we do."""
    quote = parse_quote(SPR)
    appraisal = appraise_quote(quote, parse_signature(quote), QuotePolicy(at=SPR_TIME, trusted_root=ROOT))
    assert appraisal.is_authentic
    assert [detail_of(check) for check in appraisal.acceptable if check.outcome is Outcome.MISMATCH] == [
        "SEPT_VE_DISABLE is not set: the host can raise #VE when the TD uses its own memory"
    ]


@pytest.mark.parametrize(("place", "value"), PEER_CHANGES)
def test_go_tdx_guest_refuses_the_same_changes(place: int, value: int) -> None:
    """Authenticity decides here: the unchanged quote has it."""
    changed = SPR[:place] + bytes([value]) + SPR[place + 1 :]
    assert changed != SPR
    try:
        quote = parse_quote(changed)
        signature = parse_signature(quote)
    except TeekitError:
        return
    assert not appraise_quote(quote, signature, QuotePolicy(at=SPR_TIME, trusted_root=ROOT)).is_authentic


def test_dcap_qvl_says_the_same_of_an_outdated_platform() -> None:
    """Its tests accept this quote only with a TCB info that they made up (tests/verify_tcb_override.rs)."""
    quote = read_quote(build.ASSETS / "quotes" / "dcap-qvl-outdated.bin")
    collateral = read_collateral(build.ASSETS / "quotes" / "dcap-qvl-outdated-collateral.json")
    at = datetime(2026, 2, 20, tzinfo=UTC)
    appraisal = appraise_quote(
        quote, parse_signature(quote), QuotePolicy(at=at, trusted_root=ROOT, collateral=collateral)
    )
    assert {check.outcome for check in appraisal.authentic} == {Outcome.MATCH}
    assert [detail_of(check) for check in appraisal.acceptable if check.outcome is not Outcome.MATCH] == [
        "not asked for: this may be an old quote, or another guest's",
        "no TCB level of the TCB info fits this platform: Intel does not support it",
    ]
