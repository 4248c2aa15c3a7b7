"""Dummy TDX quotes: every field where it belongs, every signature right, and nothing behind them.

They are for trying what reads quotes on a machine without TDX. Each says what it is: the user data of its header is
DUMMY-NOT-A-TD-QUOTE, MRCONFIGID begins with the same, and its certificates are named DUMMY and lead to a root of their own, with keys that
exist only in memory. Layout: Intel TDX DCAP Quoting Library API, appendix A.3 (version 4).
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from teekit_verify.registers.registers import RTMR_COUNT, rtmr

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from teekit_verify.core.digest import Digest
    from teekit_verify.registers.registers import Register

MARK = b"DUMMY-NOT-A-TD-QUOTE"
"""Fills the 20 bytes of user data in the header."""
REPORT_DATA_BYTES = 64

_VERSION, _ECDSA_P256, _TEE_TDX = 4, 2, 0x81
_INTEL_QE = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
_SEPT_VE_DISABLE = 1 << 28
_XFAM = 0xE7  # x87, SSE, AVX, AVX-512, PKRU
_QE_REPORT_CERTIFICATION, _PCK_CHAIN = 6, 5
_AUTHENTICATION_DATA = bytes(32)
_VALID = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DummySigner:
    """Throw-away keys: of the attestation, and of the PCK certificate that is the first of `chain`."""

    attestation_key: ec.EllipticCurvePrivateKey
    pck_key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...]

    @classmethod
    def create(cls, now: datetime) -> Self:
        """New keys, and certificates that are valid for a day from `now`."""
        keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
        names = ("DUMMY PCK certificate, not Intel's", "DUMMY PCK CA, not Intel's", "DUMMY root CA, not Intel's")
        issuers = ((keys[1], names[1]), (keys[2], names[2]), (keys[2], names[2]))
        chain = tuple(
            _certificate(key, name, *issuer, now, is_authority=name != names[0])
            for key, name, issuer in zip(keys, names, issuers, strict=True)
        )
        return cls(ec.generate_private_key(ec.SECP256R1()), keys[0], chain)

    def quote(self, report_data: bytes, values: Mapping[Register, Digest]) -> bytes:
        """A quote of a TD with these RTMRs; MRTD, and each RTMR without a value, is zero. 64 bytes of report data."""
        if len(report_data) != REPORT_DATA_BYTES:
            raise ValueError(f"report data has {REPORT_DATA_BYTES} bytes, not {len(report_data)}")
        header = struct.pack("<HHI4x", _VERSION, _ECDSA_P256, _TEE_TDX) + _INTEL_QE + MARK
        signed = header + _td_report(report_data, values)
        key = _raw_public_key(self.attestation_key)
        certification = self._qe_certification(key)
        outer = struct.pack("<HI", _QE_REPORT_CERTIFICATION, len(certification)) + certification
        signature = _raw_signature(self.attestation_key, signed) + key + outer
        return signed + struct.pack("<I", len(signature)) + signature

    def _qe_certification(self, attestation_key: bytes) -> bytes:
        """The report of a quoting enclave that vouches for the attestation key, its signature, and the PCK chain."""
        bound = hashlib.sha256(attestation_key + _AUTHENTICATION_DATA).digest() + bytes(32)
        report = bytes(320) + bound
        chain = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.chain)
        return b"".join(
            (
                report,
                _raw_signature(self.pck_key, report),
                struct.pack("<H", len(_AUTHENTICATION_DATA)) + _AUTHENTICATION_DATA,
                struct.pack("<HI", _PCK_CHAIN, len(chain)) + chain,
            )
        )


def _td_report(report_data: bytes, values: Mapping[Register, Digest]) -> bytes:
    """TEE_TCB_SVN, MRSEAM, MRSIGNERSEAM, SEAM attributes; TD attributes, XFAM; MRTD, MRCONFIGID, MROWNER, MROWNERCONFIG; RTMRs."""
    rtmrs = (values.get(rtmr(index)) for index in range(RTMR_COUNT))
    return b"".join(
        (
            bytes(16 + 48 + 48 + 8),
            struct.pack("<QQ", _SEPT_VE_DISABLE, _XFAM),
            bytes(48) + MARK.ljust(48, b"\0") + bytes(2 * 48),
            *(bytes(48) if value is None else value.value for value in rtmrs),
            report_data,
        )
    )


def _certificate(
    key: ec.EllipticCurvePrivateKey,
    name: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    issuer: str,
    now: datetime,
    *,
    is_authority: bool,
) -> x509.Certificate:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(issuer_key, SHA256())
    )


def _raw_public_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]


def _raw_signature(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
