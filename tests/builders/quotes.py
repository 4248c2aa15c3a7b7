"""Well-formed TDX quotes, signed with throw-away keys that a throw-away authority certifies as Intel's does its own.

Layouts: Intel TDX DCAP Quoting Library API, appendix A.3 and A.4; Intel SGX PCK Certificate and Certificate Revocation List
Profile Specification 1.5.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

ASSETS = Path(__file__).parents[1] / "assets"
NOW = datetime(2026, 2, 3, 1, tzinfo=UTC)
"""Within the validity of every certificate of the real quotes; go-tdx-guest's tests take this moment for its v5 sample."""
REAL = {
    "phala": ASSETS / "quotes" / "phala-v4.bin",
    "v5": ASSETS / "quotes" / "sample-v5.bin",
    "gcp": ASSETS / "quotes" / "gcp-v4.json",
    "cos": ASSETS / "eventlogs" / "gcp-cos113-quote.bin",
    "dstack": ASSETS / "eventlogs" / "dstack-quote-report.json",
}

QE_MRSIGNER = bytes.fromhex("dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5")
FMSPC = bytes.fromhex("00906ed50000")
_PREFIX = bytes.fromhex("2a864886f84d010d01")


@dataclass(frozen=True)
class Authority:
    """Root, PCK CA and PCK certificate with their keys."""

    root_key: ec.EllipticCurvePrivateKey
    ca_key: ec.EllipticCurvePrivateKey
    pck_key: ec.EllipticCurvePrivateKey
    root: x509.Certificate
    ca: x509.Certificate
    pck: x509.Certificate

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        return (self.pck, self.ca, self.root)


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    length = bytes([size]) if size < 0x80 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def entry(numbers: Sequence[int], value: bytes) -> bytes:
    return der(0x30, der(0x06, _PREFIX + bytes(numbers)), value)


def sgx_extension(*, fmspc: bytes = FMSPC, svn: int = 5) -> bytes:
    numbers = [entry((2, index), der(0x02, bytes([svn]))) for index in range(1, 18)]
    tcb = entry((2,), der(0x30, *numbers, entry((2, 18), der(0x04, bytes([svn]) * 16))))
    ids = entry((1,), der(0x04, bytes(16))), tcb, entry((3,), der(0x04, bytes(2))), entry((4,), der(0x04, fmspc))
    return der(0x30, *ids, entry((5,), der(0x0A, b"\0")))


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    issuer_name: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    ca: bool,
    path_length: int | None = None,
    key_use: bool = True,
    not_before: datetime = NOW - timedelta(days=100),
    not_after: datetime = NOW + timedelta(days=100),
    extensions: Sequence[tuple[str, bool, bytes]] = (),
    algorithm: SHA384 | None = None,
) -> x509.Certificate:
    """`key_use` False leaves out the use that the certificate is there for."""
    usage = dict.fromkeys(("content_commitment", "data_encipherment", "key_agreement", "key_encipherment"), False)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer_name)]))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1)
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
        .add_extension(
            x509.KeyUsage(
                **usage,
                digital_signature=not ca and key_use,
                key_cert_sign=ca and key_use,
                crl_sign=ca,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    for oid, critical, value in extensions:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
        builder = builder.add_extension(unknown, critical=critical)
    return builder.sign(issuer_key, algorithm or SHA256())


SGX = ("1.2.840.113741.1.13.1", False)
PCK_NAME, CA_NAME, ROOT_NAME = "Intel SGX PCK Certificate", "Intel SGX PCK Platform CA", "Intel SGX Root CA"


@cache
def key(number: int) -> ec.EllipticCurvePrivateKey:
    """The same keys in every test of a run."""
    return ec.derive_private_key(number, ec.SECP256R1())


def authority(
    *,
    root: dict[str, Any] | None = None,
    ca: dict[str, Any] | None = None,
    pck: dict[str, Any] | None = None,
    names: tuple[str, str, str] = (PCK_NAME, CA_NAME, ROOT_NAME),
    extension: bytes | None = None,
) -> Authority:
    """As Intel's; the dictionaries go to `certificate` and override what it is given here."""
    pck_name, ca_name, root_name = names
    value = sgx_extension() if extension is None else extension
    with_extension = {"extensions": [(*SGX, value)]} if value else {}
    made: dict[str, dict[str, Any]] = {
        "root": {"issuer_name": root_name, "issuer_key": key(1), "ca": True, "path_length": 1, **(root or {})},
        "ca": {"issuer_name": root_name, "issuer_key": key(1), "ca": True, "path_length": 0, **(ca or {})},
        "pck": {"issuer_name": ca_name, "issuer_key": key(2), "ca": False, **with_extension, **(pck or {})},
    }
    return Authority(
        key(1),
        key(2),
        key(3),
        certificate(root_name, key(1), **made["root"]),
        certificate(ca_name, key(2), **made["ca"]),
        certificate(pck_name, key(3), **made["pck"]),
    )


def revocation_list(
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    *revoked: x509.Certificate,
    last: datetime = NOW - timedelta(days=1),
    following: datetime = NOW + timedelta(days=1),
    critical: str | None = None,
) -> x509.CertificateRevocationList:
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
    builder = builder.last_update(last).next_update(following).add_extension(x509.CRLNumber(1), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
    )
    for item in revoked:
        gone = x509.RevokedCertificateBuilder().serial_number(item.serial_number).revocation_date(last).build()
        builder = builder.add_revoked_certificate(gone)
    if critical is not None:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(critical), b"\x05\0")
        builder = builder.add_extension(unknown, critical=True)
    return builder.sign(issuer_key, SHA256())


def raw_signature(signer: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    r, s = decode_dss_signature(signer.sign(data, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def body(
    *,
    td_attributes: int = 1 << 28,
    xfam: int = 0x600E7,
    mrsignerseam: bytes = bytes(48),
    seam_attributes: int = 0,
    report_data: bytes = bytes(64),
    mrservicetd: bytes | None = None,
    rtmrs: Sequence[bytes] = (b"\1" * 48, b"\2" * 48, b"\3" * 48, b"\4" * 48),
) -> bytes:
    """A TD report of TDX 1.0, or of 1.5 if MRSERVICETD is given."""
    head = bytes(16) + b"\x5e" * 48 + mrsignerseam + struct.pack("<QQQ", seam_attributes, td_attributes, xfam)
    measured = b"\x0d" * 48 + bytes(3 * 48) + b"".join(rtmrs)
    return head + measured + report_data + (b"" if mrservicetd is None else bytes(16) + mrservicetd)


def qe_report(
    report_data: bytes, *, attributes: bytes = b"\x15" + bytes(15), mrsigner: bytes = QE_MRSIGNER, product: int = 2
) -> bytes:
    identity = bytes(48) + attributes + b"\x9e" * 32 + bytes(32) + mrsigner + bytes(96)
    return identity + struct.pack("<HH", product, 6) + bytes(60) + report_data


def quote(
    authority: Authority,
    *,
    report: bytes | None = None,
    qe: dict[str, Any] | None = None,
    chain: Sequence[x509.Certificate] | None = None,
    text: bytes | None = None,
    vendor: bytes = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607"),
    key_type: int = 2,
    outer_type: int = 6,
    inner_type: int = 5,
    attestation_key: bytes | None = None,
    bound_key: bytes | None = None,
    after: bytes = b"",
) -> bytes:
    """Version 4 for a body of TDX 1.0, else version 5. `bound_key` is the key that the quoting enclave vouches for."""
    report = body() if report is None else report
    version, described = (4, report) if len(report) == 584 else (5, struct.pack("<HI", 3, len(report)) + report)
    signed = struct.pack("<HHI4x", version, key_type, 0x81) + vendor + bytes(20) + described
    signer = key(4)
    public = signer.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    public = public if attestation_key is None else attestation_key
    auth_data = bytes(range(32))
    bound = hashlib.sha256((public if bound_key is None else bound_key) + auth_data).digest() + bytes(32)
    enclave = qe_report(bound, **(qe or {}))
    inner = enclave + raw_signature(authority.pck_key, enclave) + struct.pack("<H", len(auth_data)) + auth_data
    text = pem(*(authority.chain if chain is None else chain)) if text is None else text
    inner += struct.pack("<HI", inner_type, len(text)) + text + after
    outer = raw_signature(signer, signed) + public + struct.pack("<HI", outer_type, len(inner)) + inner
    return signed + struct.pack("<I", len(outer)) + outer


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(item.public_bytes(Encoding.PEM) for item in certificates)
