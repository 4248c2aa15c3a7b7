"""What somebody asks of a quote, from the words of a command line: a time, a root to trust, REPORTDATA."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from teekit_verify.appraisal.facts import Requested
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import read_bounded
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence import intel_root
from teekit_verify.evidence.certificates import load_certificates, long_names, reading
from teekit_verify.evidence.machine_tpm import parse_public

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509

REPORT_DATA_BYTES = 64
_MAX_BYTES = 1 << 20


def parse_time(text: str) -> datetime:
    """ISO 8601, in UTC unless it says otherwise; a date alone is its midnight. Raises TeekitError."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise TeekitError(f"not a time: {text[:80]!r}", hint="Write it as 2026-02-03T04:05:06Z.") from error


def read_root(path: Path | None) -> x509.Certificate:
    """One certificate in PEM; without a file Intel's. Raises TeekitError."""
    data = intel_root.PEM if path is None else _read(path, "a certificate")
    what = "Intel SGX Root CA" if path is None else str(path)
    with reading("root certificate", what):
        found = load_certificates(data)
    if len(found) != 1:
        raise TeekitError(f"{what}: expected one certificate, found {len(found)}")
    return found[0]


def read_roots(path: Path | None) -> tuple[x509.Certificate, ...]:
    """Every certificate of a PEM file; none without one. Raises TeekitError."""
    if path is None:
        return ()
    with reading("root certificates", str(path)), long_names():
        return tuple(load_certificates(_read(path, "certificates")))


def read_vtpm_key(path: Path) -> rsa.RSAPublicKey:
    """RSA, in PEM or as TPM2B_PUBLIC. Raises TeekitError."""
    data = _read(path, "a TPM's key")
    if not data.lstrip().startswith(b"-----BEGIN"):
        return parse_public(data)
    try:
        key = load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPublicKey):
        raise TeekitError(
            f"{path}: not an RSA public key in PEM", hint="Give a file with BEGIN PUBLIC KEY, or a TPM2B_PUBLIC."
        )
    return key


def _read(path: Path, what: str) -> bytes:
    return read_bounded(path, _MAX_BYTES, what)


@frozen
class ReportDataRequest:
    """REPORTDATA must be one of `values`, 64 bytes each; `requested` is what they are."""

    values: tuple[bytes, ...]
    requested: Requested


def requested_report_data(
    report_data: str | None, nonce: Path | None, public_key: Path | None
) -> ReportDataRequest | None:
    """None if nothing was asked for. Raises TeekitError for more than one request, and for one that cannot be met."""
    if sum(item is not None for item in (report_data, nonce, public_key)) > 1:
        raise TeekitError("more than one of --report-data, --nonce and --public-key", hint="Give one of them.")
    if report_data is not None:
        return ReportDataRequest((_padded(_from_hex(report_data), "--report-data"),), Requested.GIVEN)
    if nonce is not None:
        return ReportDataRequest((_padded(_read(nonce, "a nonce"), str(nonce)),), Requested.NONCE)
    if public_key is not None:
        return ReportDataRequest(_key_digests(public_key), Requested.PUBLIC_KEY)
    return None


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise TeekitError(
            "--report-data: expected hexadecimal digits", hint="Write up to 64 bytes as two digits each, such as 0a1b."
        ) from error


def _padded(data: bytes, what: str) -> bytes:
    if not 1 <= len(data) <= REPORT_DATA_BYTES:
        raise TeekitError(
            f"{what}: expected 1 to {REPORT_DATA_BYTES} bytes, found {len(data)}",
            hint="Give with --report-data what the guest put into REPORTDATA.",
        )
    return data.ljust(REPORT_DATA_BYTES, b"\0")


def _key_digests(path: Path) -> tuple[bytes, ...]:
    """SHA-256, SHA-384 and SHA-512 of the SubjectPublicKeyInfo in DER (RFC 5280, 4.1.2.7), the shorter ones with zeros after."""
    data = _read(path, "a public key")
    try:
        spki = load_pem_public_key(data).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise TeekitError(f"{path}: not a public key in PEM", hint="Give a file with BEGIN PUBLIC KEY.") from error
    digests = (digest(spki).digest() for digest in (hashlib.sha256, hashlib.sha384, hashlib.sha512))
    return tuple(_padded(digest, str(path)) for digest in digests)
