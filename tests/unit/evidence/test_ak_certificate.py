"""Certificates of vTPM keys: a real one up to Microsoft's root, and chains of a throw-away authority."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from builders import azure as build
from builders.quotes import NOW, certificate, key
from teekit_verify.core.errors import NotAuthenticError
from teekit_verify.evidence import azure_root
from teekit_verify.evidence.ak_certificate import require_certified
from teekit_verify.evidence.azure import read_vtpm

(MICROSOFT,) = x509.load_pem_x509_certificates(azure_root.PEM)
REAL = read_vtpm([build.REAL["flashbots"]])
JUNE = datetime(2026, 6, 8, 13, tzinfo=UTC)
NAME = "0123456789ab.ConfidentialVM.Azure.windows.net"
AIK = ("2.5.29.37", False, bytes.fromhex("300706056781050803"))
"""Extended key usage 2.23.133.8.3 in DER."""


def test_the_root_is_the_one_that_was_pinned() -> None:
    """Fingerprint of the copy in flashbots/attested-tls, by `openssl x509 -fingerprint -sha256`."""
    assert MICROSOFT.subject == MICROSOFT.issuer
    assert MICROSOFT.fingerprint(SHA256()).hex() == FINGERPRINT


FINGERPRINT = "e6c596b17f8ffefba5c300f714cfb1260c6028704ecf7becc4ab5018efb00e95"


def test_a_real_key_is_certified_by_microsoft() -> None:
    key_of_vtpm, given = REAL.report.attestation_key, REAL.certificates
    assert require_certified(key_of_vtpm, given, [MICROSOFT], JUNE) == "2ede2d532aaf.ConfidentialVM.Azure.windows.net"
    assert require_certified(key_of_vtpm, given[::-1], [MICROSOFT], JUNE)


def test_an_issuer_that_no_address_leads_to_is_known() -> None:
    """attested-tls ships "Global Virtual TPM CA - 03" too: the key's certificate says nothing about where it is."""
    evidence = read_vtpm([build.REAL["flashbots"].with_name("attested-tls.yaml")])
    december, issuers = datetime(2025, 12, 2, tzinfo=UTC), x509.load_pem_x509_certificates(azure_root.ISSUERS)
    key_of_vtpm = evidence.report.attestation_key
    with pytest.raises(NotAuthenticError, match="no certificate of 'Global Virtual TPM CA - 03' is there"):
        require_certified(key_of_vtpm, evidence.certificates, [MICROSOFT], december)
    name = require_certified(key_of_vtpm, [*evidence.certificates, *issuers], [MICROSOFT], december)
    assert name == "353c6d9a70bc.ConfidentialVM.Azure.windows.net"


def test_any_of_the_roots_will_do() -> None:
    other, *_ = made()
    for roots in ([other, MICROSOFT], [MICROSOFT, other]):
        assert require_certified(REAL.report.attestation_key, REAL.certificates, roots, JUNE)
    with pytest.raises(NotAuthenticError, match=r"no certificate of .* is there"):
        require_certified(REAL.report.attestation_key, REAL.certificates, [other], JUNE)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"at": datetime(2027, 6, 8, tzinfo=UTC)}, "'2ede2d532aaf.* is valid from 2026-06-08 to 2027-06-07 UTC only"),
    ({"given": REAL.certificates[1:]}, "expected one certificate of the vTPM's attestation key, found 0"),
    ({"given": REAL.certificates + REAL.certificates[:1]}, "expected one certificate .*, found 2"),
    ({"given": REAL.certificates[:2]}, "no certificate of 'Azure Cloud Virtual TPM CA 2025' is there"),
    ({"key_of_vtpm": build.tpm_key()}, "expected one certificate of the vTPM's attestation key, found 0"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_what_does_not_hold_for_a_real_chain(changes: dict[str, Any], message: str) -> None:
    asked = {"key_of_vtpm": REAL.report.attestation_key, "given": REAL.certificates, "at": JUNE, **changes}
    with pytest.raises(NotAuthenticError, match=message):
        require_certified(asked["key_of_vtpm"], asked["given"], [MICROSOFT], asked["at"])


def made(
    *, leaf: dict[str, Any] | None = None, ca: dict[str, Any] | None = None, name: str = NAME
) -> list[x509.Certificate]:
    """Root, authority and the certificate of `key(3)`."""
    root = certificate("root", key(1), issuer_name="root", issuer_key=key(1), ca=True)
    options: dict[str, Any] = {"issuer_name": "root", "issuer_key": key(1), "ca": True, **(ca or {})}
    authority = certificate("authority", key(2), **options)
    options = {"issuer_name": "authority", "issuer_key": key(2), "ca": False, "extensions": [AIK], **(leaf or {})}
    return [root, authority, certificate(name, key(3), **options)]


def require(chain: list[x509.Certificate]) -> str:
    return require_certified(key(3).public_key(), chain[1:], [chain[0]], NOW)


def test_a_chain_of_the_trusted_root() -> None:
    assert require(made()) == NAME


CHAINS: list[tuple[dict[str, Any], str]] = [
    (
        {"name": "0123456789ab.TrustedVM.Azure.windows.net"},
        "the key is that of .* which is not a name of a confidential VM",
    ),
    ({"name": "ConfidentialVM.Azure.windows.net.example"}, "which is not a name of a confidential VM"),
    ({"leaf": {"extensions": []}}, "the certificate does not say that its key is an attestation key"),
    (
        {"leaf": {"extensions": [("2.5.29.37", False, bytes.fromhex("300a06082b06010505070301"))]}},
        "the certificate does not say that its key is an attestation key",
    ),
    ({"leaf": {"extensions": [AIK, ("1.2.3", True, b"\5\0")]}}, r"the critical extension 1\.2\.3 is not known here"),
    ({"leaf": {"issuer_key": key(4)}}, "no certificate of 'authority' is there, or it did not sign"),
    ({"leaf": {"issuer_name": "somebody"}}, "no certificate of 'somebody' is there"),
    ({"ca": {"issuer_key": key(4)}}, "no certificate of 'root' is there, or it did not sign"),
    ({"ca": {"ca": False}}, "'authority' may not issue this certificate"),
    ({"ca": {"not_after": NOW - timedelta(days=1)}}, "'authority' is valid from .* UTC only"),
    (
        {"ca": {"issuer_name": "authority", "issuer_key": key(2)}},
        "the chain ends in 'authority', which is not one of the trusted roots",
    ),
]


@pytest.mark.parametrize(("options", "message"), CHAINS)
def test_chains_that_do_not_hold(options: dict[str, Any], message: str) -> None:
    with pytest.raises(NotAuthenticError, match=message):
        require(made(**options))


def test_two_authorities_that_certify_each_other() -> None:
    root, authority, leaf = made(ca={"issuer_name": "other", "issuer_key": key(4)})
    other = certificate("other", key(4), issuer_name="authority", issuer_key=key(2), ca=True)
    with pytest.raises(NotAuthenticError, match="the chain has more than 8 certificates"):
        require([root, authority, other, leaf])


def test_an_authority_that_may_issue_no_authorities() -> None:
    root = certificate("root", key(1), issuer_name="root", issuer_key=key(1), ca=True, path_length=0)
    chain = made()
    with pytest.raises(NotAuthenticError, match="'root' may not issue this certificate"):
        require([root, *chain[1:]])


def test_a_certificate_without_constraints() -> None:
    builder = x509.CertificateBuilder(
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")]),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")]),
        key(2).public_key(),
        5,
        NOW - timedelta(days=1),
        NOW + timedelta(days=1),
    )
    root, _, leaf = made()
    with pytest.raises(NotAuthenticError, match="'authority' does not say what its key may be used for"):
        require([root, builder.sign(key(1), SHA256()), leaf])
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
