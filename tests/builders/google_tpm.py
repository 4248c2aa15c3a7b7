"""Certificates of vTPMs' keys as Google Compute Engine issues them, by an authority of these tests.

As the certificates in google/go-tpm-tools are (internal/test/certificates, 67670e5c): names of more than 64 characters, an empty subject with
a critical alternative name, purpose 2.23.133.8.1 also for keys that sign, and the machine in an extension.
"""

from __future__ import annotations

import warnings
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from builders.quotes import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT_NAME = "tpm_ek_v1_cloud_host_root-signer-of-these-tests-2018-04-06T10:58:26-07:00 K:1, 1:0:18"
CA_NAME = "tpm_ek_v1_cloud_host-signer-of-these-tests-2021-10-12T04:22:11-07:00 K:1, 3:0:18"
INSTANCE_OID = "1.3.6.1.4.1.11129.2.1.21"
ZONE, PROJECT_NUMBER, PROJECT, NUMBER, NAME = (
    "us-central1-a",
    117478743145,
    "example.com:project",
    5780156274199835632,
    "vm",
)
PATH = f"projects/{PROJECT}/zones/{ZONE}/instances/{NUMBER} ({NAME})"


def der(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


def integer(number: int) -> bytes:
    return der(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def utf8(text: str) -> bytes:
    return der(0xC, text.encode())


SECURITY = der(0xA0, integer(0)) + b"".join(
    der(0xA0 + number, der(1, b"\xff" if number == 1 else b"\0")) for number in range(1, 6)
)
"""Version 0, production, and four more that are false."""


def fields() -> bytes:
    return utf8(ZONE) + integer(PROJECT_NUMBER) + utf8(PROJECT) + integer(NUMBER) + utf8(NAME)


def instance(security: bytes | None = SECURITY) -> bytes:
    return der(0x30, fields() + (b"" if security is None else der(0xA0, der(0x30, security))))


@cache
def key(_name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _dn(text: str) -> x509.Name:
    if not text:
        return x509.Name([])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its length
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text, _validate=False)])


def _builder(
    name: str, public: rsa.RSAPublicKey, issuer: str, *, uses: Sequence[str], ca: bool
) -> x509.CertificateBuilder:
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    usage = {use: use in uses for use in (*every, "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")}
    return (
        x509.CertificateBuilder(_dn(issuer), _dn(name), public, 1 + len(name))
        .not_valid_before(NOW - timedelta(days=100))
        .not_valid_after(NOW + timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.23.133.8.1")]), critical=False)
    )


@cache
def authorities() -> tuple[x509.Certificate, x509.Certificate]:
    """The root, and the authority below it."""
    signs = ("key_cert_sign", "crl_sign")
    root = _builder(ROOT_NAME, key("root").public_key(), ROOT_NAME, uses=signs, ca=True).sign(key("root"), SHA256())
    below = _builder(CA_NAME, key("authority").public_key(), ROOT_NAME, uses=signs, ca=True).sign(key("root"), SHA256())
    return root, below


def certificate(
    public: rsa.RSAPublicKey,
    *,
    extension: bytes | None = None,
    uses: Sequence[str] = ("digital_signature",),
    signer: str = "authority",
) -> x509.Certificate:
    """Of a vTPM's key; `extension` is empty for none."""
    value = instance() if extension is None else extension
    maker = x509.DirectoryName(x509.Name([x509.NameAttribute(x509.ObjectIdentifier("2.23.133.2.1"), "id:474F4F47")]))
    built = _builder("", public, CA_NAME, uses=uses, ca=False).add_extension(
        x509.SubjectAlternativeName([maker]), critical=True
    )
    if value:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(INSTANCE_OID), value)
        built = built.add_extension(unknown, critical=False)
    return built.sign(key(signer), SHA256())


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(item.public_bytes(Encoding.PEM) for item in certificates)
