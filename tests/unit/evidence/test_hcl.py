"""The paravisor's report: real ones, whose digests real TD quotes have, and broken ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from builders import azure as build
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.evidence.azure import read_vtpm
from teekit_verify.evidence.hcl import parse_hcl_report
from teekit_verify.evidence.quote import read_quote

KEY = build.tpm_key()
SMALL = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - to be refused


@pytest.mark.parametrize("name", build.REAL)
def test_the_td_quote_has_the_digest_of_the_runtime_data(name: str) -> None:
    report = read_vtpm([build.REAL[name]]).report
    assert report.report_data == read_quote(build.REAL[name]).report.report_data
    assert report.hash_algorithm is Algorithm.SHA256
    assert report.attestation_key.key_size == 2048
    assert report.configuration["tpm-enabled"] == "True"
    assert report.user_data == "0" * 128


def test_what_is_in_a_report() -> None:
    report = parse_hcl_report(build.hcl_report(build.claims(KEY)))
    assert report.attestation_key.public_numbers() == KEY.public_numbers()
    assert report.runtime_data == build.claims(KEY)
    assert report.configuration == {"secure-boot": "False", "tpm-enabled": "True"}
    bare = parse_hcl_report(build.hcl_report(build.claims(KEY, vm_configuration=None, user_data=None), hash_type=3))
    assert (dict(bare.configuration), bare.user_data, bare.hash_algorithm) == ({}, "", Algorithm.SHA512)
    assert len(bare.report_data) == 64


def _report(**changes: object) -> bytes:
    return build.hcl_report(build.claims(KEY, **changes))


def _keys(**changes: object) -> bytes:
    return _report(keys=[build.jwk(KEY, **changes)])


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "signature at offset 0x0: needs 4 bytes"),
    "signature": (build.hcl_report(b"{}", signature=b"HCLB"), "expected b'HCLA' and version 2, found b'HCLB' and 2"),
    "cut": (_report()[:1300], "runtime data at offset 0x4d4: needs "),
    "kind": (build.hcl_report(b"{}", kind=5), "report of type 5, digest of type 1, sizes 22 and 2"),
    "digest": (build.hcl_report(b"{}", hash_type=0), "report of type 4, digest of type 0"),
    "padding": (build.hcl_report(build.claims(KEY), after=b"\0x"), "what follows the runtime data is not all 0x00"),
    "no JSON": (build.hcl_report(b"{"), "HCL report: runtime data: JSON at offset 0x1"),
    "no object": (build.hcl_report(b"[]"), "keys at offset 0x0: expected an object"),
    "no keys": (_report(keys=None), "expected one RSA key HCLAkPub"),
    "another key": (_keys(kid="HCLEkPub"), "expected one RSA key HCLAkPub"),
    "two keys": (_report(keys=[build.jwk(KEY)] * 2), "expected one RSA key HCLAkPub"),
    "no RSA": (_keys(kty="EC"), "expected one RSA key HCLAkPub"),
    "no number": (_keys(n=5), "n at offset 0x0: expected text"),
    "no base64": (_keys(n="?"), "n at offset 0x0: is neither hexadecimal nor base64"),
    "a small key": (_report(keys=[build.jwk(SMALL)]), "expected a key of 2048 to 8192 bits, found 1024"),
    "a large exponent": (_keys(e="A" * 12 + "EB"), "keys at offset 0x0"),
    "no exponent": (_keys(e="AA"), "keys at offset 0x0: is not an RSA key"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_malformed(name: str) -> None:
    data, message = BROKEN[name]
    with pytest.raises(MalformedInputError, match=message):
        parse_hcl_report(data)


def test_a_report_of_another_kind_of_guest() -> None:
    with pytest.raises(UnsupportedInputError, match="a guest with SEV-SNP, not of a TD"):
        parse_hcl_report(build.hcl_report(b"{}", kind=2))


@given(st.binary(max_size=100))
def test_any_bytes_are_our_error(data: bytes) -> None:
    with pytest.raises(TeekitError):
        parse_hcl_report(b"HCLA" + data)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_claims_are_our_error(claims: Any) -> None:
    with pytest.raises(TeekitError):
        parse_hcl_report(build.hcl_report(json.dumps({"keys": claims}).encode()))
