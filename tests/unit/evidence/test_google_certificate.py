"""Certificates of Google's vTPM keys: chains of an authority of these tests, shaped as Google's are; what they say of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from builders import google_tpm as build
from builders.google_tpm import der, fields, instance, integer, utf8
from builders.quotes import NOW
from teekit_verify.core.errors import MalformedInputError, NotAuthenticError
from teekit_verify.evidence.ak_certificate import require_google
from teekit_verify.evidence.azure import certificates_of
from teekit_verify.evidence.google_instance import GoogleInstance, parse_instance
from teekit_verify.evidence.google_tpm_root import roots_in

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

AK = build.key("ak").public_key()
MACHINE = GoogleInstance(
    build.ZONE, build.PROJECT_NUMBER, build.PROJECT, build.NUMBER, build.NAME, security_version=0, production=True
)


def require(
    certificate: x509.Certificate, *others: x509.Certificate, key: rsa.RSAPublicKey = AK, trusted: bool = True
) -> GoogleInstance:
    root = build.authorities()[0]
    given = others or build.authorities()
    return require_google(key, [certificate, *given], [root] if trusted else [], NOW)


def test_a_chain_of_the_trusted_root() -> None:
    """Its names are longer than the library likes, whose warnings are errors here."""
    assert len(build.ROOT_NAME) > 64 < len(build.CA_NAME)
    (read,) = certificates_of(build.pem(build.certificate(AK)))
    assert require(read) == MACHINE
    assert MACHINE.path == build.PATH


CHAINS: list[tuple[dict[str, Any], str]] = [
    ({"uses": ["key_encipherment"]}, "is not that of a key that only signs"),
    ({"uses": ["digital_signature", "key_encipherment"]}, "is not that of a key that only signs"),
    ({"extension": b""}, "names no machine of Google Compute Engine"),
    ({"extension": instance(None)}, "does not say that its machine is one of production"),
    ({"extension": instance(der(0xA1, der(1, b"\0")))}, "does not say that its machine is one of production"),
    ({"signer": "another"}, "no certificate of 'tpm_ek_v1_cloud_host-signer.* is there, or it did not sign"),
]


@pytest.mark.parametrize(("options", "message"), CHAINS)
def test_certificates_that_do_not_hold(options: dict[str, Any], message: str) -> None:
    with pytest.raises(NotAuthenticError, match=message):
        require(build.certificate(AK, **options))


def test_chains_that_end_elsewhere() -> None:
    good, (root, below) = build.certificate(AK), build.authorities()
    for others, trusted in (((below,), False), ((root,), True)):
        with pytest.raises(NotAuthenticError, match="is there, or it did not sign"):
            require(good, *others, trusted=trusted)
    with pytest.raises(
        NotAuthenticError, match=r"the chain ends in 'tpm_ek_v1_.*, which is not one of the trusted roots"
    ):
        require(good, trusted=False)
    with pytest.raises(NotAuthenticError, match=r"expected one certificate .* found 0"):
        require(good, key=build.key("another").public_key())


def test_only_googles_own_are_roots_by_themselves() -> None:
    assert roots_in(build.authorities()) == ()


def test_a_machine_without_security_properties() -> None:
    read = parse_instance(instance(None))
    assert (read.project, read.security_version, read.production) == (build.PROJECT, 0, False)


MALFORMED = [
    (b"", "extension"),
    (instance() + b"\0", "length"),
    (instance() + instance(), "extension"),
    (der(0x31, fields()), "extension"),
    (der(0x30, fields() + utf8("more")), "security properties"),
    (der(0x30, fields() + der(0xA0, b"") * 2), "fields"),
    (der(0x30, fields()[:-1]), "content"),
    (der(0x30, utf8("z") + integer(1) + utf8("p") + integer(1)), "fields"),
    (der(0x30, utf8("z") + der(2, b"\x80") + utf8("p") + integer(1) + utf8("n")), "number"),
    (der(0x30, utf8("z") + integer(1 << 80) + utf8("p") + integer(1) + utf8("n")), "number"),
    (der(0x30, utf8("") + integer(1) + utf8("p") + integer(1) + utf8("n")), "text"),
    (der(0x30, der(0xC, b"\xff") + integer(1) + utf8("p") + integer(1) + utf8("n")), "text"),
    (instance(der(0xA1, der(1, b"\xff")) * 2), "security properties"),
    (instance(der(0xA1, der(2, b"\xff"))), "production"),
    (instance(der(0xA0, der(2, b"\xff"))), "number"),
]


@pytest.mark.parametrize(("data", "field"), MALFORMED)
def test_what_is_no_description(data: bytes, field: str) -> None:
    with pytest.raises(MalformedInputError, match=f"Google's description of the machine: {field} at offset"):
        parse_instance(data)
