"""Quotes of a software TPM, as tpm2-tools wrote them, and of Azure's vTPMs."""

from __future__ import annotations

import re
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import azure as build
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, NotAuthenticError, TeekitError, UnsupportedInputError
from teekit_verify.evidence import tpm
from teekit_verify.registers.registers import pcr

SCHEMES = ("rsassa", "rsapss")
QUOTED = [*range(10), 11]


def read(name: str) -> tuple[tpm.TpmAttest, tpm.TpmSignature]:
    attest, signature = ((build.TPM / f"{name}.{kind}").read_bytes() for kind in ("msg", "sig"))
    return tpm.parse_attest(attest), tpm.parse_signature(signature)


def told() -> dict[int, str]:
    """What the TPM said when it was asked for its PCRs."""
    lines = re.findall(r"(\d+) *: 0x([0-9A-F]{64})", (build.TPM / "pcrs.yaml").read_text())
    return {int(number): value.lower() for number, value in lines}


@pytest.mark.parametrize(("name", "nonce"), [("rsassa", b"challenge"), ("rsapss", b"\x00\xff")])
def test_what_tpm2_quote_writes(name: str, nonce: bytes) -> None:
    attest, signature = read(name)
    assert attest.extra_data == nonce
    assert (attest.bank, attest.pcrs) == (Algorithm.SHA256, tuple(map(pcr, QUOTED)))
    assert (signature.algorithm, signature.is_pss) == (Algorithm.SHA256, name == "rsapss")
    tpm.require_signed(attest, signature, build.tpm_key(name))
    values = tpm.pcr_values(attest, [bytes.fromhex(told()[index]) for index in QUOTED])
    tpm.require_pcr_digest(attest, signature.algorithm, values)


def test_the_size_before_an_attestation_is_passed_over() -> None:
    data = (build.TPM / "rsassa.msg").read_bytes()
    assert tpm.parse_attest(struct.pack(">H", len(data)) + data) == tpm.parse_attest(data)


@pytest.mark.parametrize("name", SCHEMES)
def test_signatures_of_others(name: str) -> None:
    attest, signature = read(name)
    other = "rsapss" if name == "rsassa" else "rsassa"
    words = "the vTPM's attestation key did not sign this quote"
    with pytest.raises(NotAuthenticError, match=words):
        tpm.require_signed(attest, signature, build.tpm_key(other))
    with pytest.raises(NotAuthenticError, match=words):
        tpm.require_signed(attest, replace(signature, is_pss=not signature.is_pss), build.tpm_key(name))
    with pytest.raises(NotAuthenticError, match=words):
        tpm.require_signed(attest, replace(signature, algorithm=Algorithm.SHA384), build.tpm_key(name))
    with pytest.raises(NotAuthenticError, match=words):
        tpm.require_signed(attest, replace(signature, value=signature.value[:-1]), build.tpm_key(name))


@pytest.mark.parametrize("name", SCHEMES)
def test_no_changed_byte_is_accepted(name: str) -> None:
    data, (_, signature) = (build.TPM / f"{name}.msg").read_bytes(), read(name)
    for place in range(len(data)):
        try:
            changed = tpm.parse_attest(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        except TeekitError:
            continue
        with pytest.raises(NotAuthenticError):
            tpm.require_signed(changed, signature, build.tpm_key(name))


def test_other_pcr_values() -> None:
    attest, signature = read("rsassa")
    values = dict(tpm.pcr_values(attest, [bytes.fromhex(told()[index]) for index in QUOTED]))
    values[pcr(4)] = Digest.zero(Algorithm.SHA256)
    with pytest.raises(NotAuthenticError, match="the PCR values are not those that the vTPM quoted: their digest is "):
        tpm.require_pcr_digest(attest, signature.algorithm, values)


@pytest.mark.parametrize("values", [[], [bytes(32)] * 10, [bytes(32)] * 12, [bytes(48)] * 11])
def test_as_many_values_as_were_quoted(values: list[bytes]) -> None:
    with pytest.raises(
        MalformedInputError, match=rf"PCR values: .* expected 11 of 32 bytes \(sha256\), found {len(values)}"
    ):
        tpm.pcr_values(read("rsassa")[0], values)


def _attest(changes: dict[int, bytes], after: bytes = b"") -> bytes:
    """`changes` by offset. The selection begins at 76: the name has 34 bytes, the nonce 9."""
    data = bytearray((build.TPM / "rsassa.msg").read_bytes())
    for offset, value in changes.items():
        data[offset : offset + len(value)] = value
    return bytes(data) + after


MALFORMED = [
    (b"", "magic at offset 0x0: needs 4 bytes, 0 are left"),
    (_attest({0: b"\0"}), "magic at offset 0x0: expected ff544347"),
    (_attest({6: b"\xff\xff"}), "qualified signer at offset 0x8: needs 65535 bytes"),
    (_attest({78: b"\0\0\0\x11"}), "PCR selections: count at offset 0x52: expected at most 16, found 17"),
    (_attest({84: b"\xff"}), "PCR selection at offset 0x55: needs 255 bytes"),
    (_attest({}, b"\0"), "end at offset 0x7a: 1 bytes follow the quote"),
]


@pytest.mark.parametrize(("data", "message"), MALFORMED)
def test_malformed_quotes(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInputError, match=message):
        tpm.parse_attest(data)


UNSUPPORTED = [
    (_attest({4: b"\x80\x17"}), "an attestation of type 0x8017, expected 0x8018"),
    ((build.TPM / "two-banks.msg").read_bytes(), "PCRs of the banks 0x000b, 0x000c are quoted, expected one bank"),
    (_attest({82: b"\0\4"}), "PCRs of the banks 0x0004 are quoted"),
    (_attest({85: b"\0\0\0"}), "PCRs of the banks none are quoted"),
]


@pytest.mark.parametrize(("data", "message"), UNSUPPORTED)
def test_quotes_that_are_not_supported(data: bytes, message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=message):
        tpm.parse_attest(data)


def test_a_pcr_that_no_tpm_has() -> None:
    selection = (build.TPM / "rsassa.msg").read_bytes()
    data = selection[:84] + b"\4" + selection[85:88] + b"\1" + selection[88:]
    with pytest.raises(MalformedInputError, match="selects a PCR above 23"):
        tpm.parse_attest(data)


SIGNATURES = [
    (b"\0\x18\0\x0b\0\0", UnsupportedInputError, "scheme 0x0018 with algorithm 0x000b, expected RSASSA or RSAPSS"),
    (b"\0\x14\0\x04\0\0", UnsupportedInputError, "scheme 0x0014 with algorithm 0x0004"),
    (b"\0\x14\0\x0b\0\1", MalformedInputError, "signature at offset 0x6: needs 1 bytes, 0 are left"),
    (b"\0\x14\0\x0b\0\0\0", MalformedInputError, "end at offset 0x6: 1 bytes follow the signature"),
    (b"\0\x14\0\x0b\4\1" + bytes(1025), MalformedInputError, "expected at most 1024 bytes, found 1025"),
]


@pytest.mark.parametrize(("data", "error", "message"), SIGNATURES)
def test_signatures_that_cannot_be_read(data: bytes, error: type[TeekitError], message: str) -> None:
    with pytest.raises(error, match=message):
        tpm.parse_signature(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_our_error(data: bytes) -> None:
    with pytest.raises(TeekitError):
        tpm.parse_attest(data)
