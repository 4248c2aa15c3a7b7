"""Google's signature under an endorsement: one certificate, signed by a root that the user names.

Each fact is one check that returns nothing or raises NotAuthenticError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtensionOID

from teekit_verify.core.errors import NotAuthenticError, TeekitError
from teekit_verify.core.files import read_bounded

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_SALT_BYTES = 32
_MIN_KEY_BITS = 2048
_MAX_CERTIFICATE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """The certificate that signed files must lead to, and the time at which certificates must be good."""

    certificate: x509.Certificate
    at: datetime


def load_certificate(path: Path) -> x509.Certificate:
    """One certificate, PEM or DER. Raises TeekitError."""
    data = read_bounded(path, _MAX_CERTIFICATE_BYTES, "a certificate")
    try:
        if not data.lstrip().startswith(b"-----BEGIN"):
            return x509.load_der_x509_certificate(data)
        found = x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise TeekitError(f"{path}: is not a certificate", hint="Fetch Google's root certificate again.") from error
    if len(found) != 1:
        raise TeekitError(f"{path}: expected one certificate, found {len(found)}")
    return found[0]


def check_signature(signed: bytes, signature: bytes, certificate: bytes, root: TrustedRoot, where: str) -> None:
    """RSASSA-PSS (RFC 8017, 8.1) by the key of `certificate` (DER), which the trusted root must have signed."""
    try:
        leaf = x509.load_der_x509_certificate(certificate)
        key = leaf.public_key()
    except ValueError as error:
        raise TeekitError(f"{where}: cert: is not a certificate") from error
    _check_issued(leaf, root.certificate, where)
    _check_time(leaf, "the signing certificate", root.at, where)
    _check_time(root.certificate, "the root certificate", root.at, where)
    _check_usage(leaf, where)
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _MIN_KEY_BITS:
        raise NotAuthenticError(f"{where}: cert: has no RSA key of at least {_MIN_KEY_BITS} bits")
    try:
        key.verify(signature, signed, padding.PSS(padding.MGF1(SHA256()), _SALT_BYTES), SHA256())
    except InvalidSignature as error:
        raise NotAuthenticError(f"{where}: the signature is not valid") from error


def _check_issued(leaf: x509.Certificate, root: x509.Certificate, where: str) -> None:
    try:
        leaf.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise NotAuthenticError(
            f"{where}: the signing certificate was not issued by the given root",
            hint="Give the root certificate that Google publishes for Confidential Computing.",
        ) from error


def _check_time(certificate: x509.Certificate, name: str, at: datetime, where: str) -> None:
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= at <= end:
        raise NotAuthenticError(
            f"{where}: {name} is valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}, not at {at:%Y-%m-%d}"
        )


def _check_usage(leaf: x509.Certificate, where: str) -> None:
    """The leaf may sign documents, and has no critical extension that nobody here looks at (RFC 5280, 4.2)."""
    known = {ExtensionOID.KEY_USAGE, ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.EXTENDED_KEY_USAGE}
    try:
        extensions = leaf.extensions
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise NotAuthenticError(f"{where}: the signing certificate does not say what its key is for") from error
    if not usage.digital_signature:
        raise NotAuthenticError(f"{where}: the signing certificate is not for digital signatures")
    unknown = [item.oid.dotted_string for item in extensions if item.critical and item.oid not in known]
    if unknown:
        raise NotAuthenticError(
            f"{where}: the signing certificate has unknown critical extensions: {', '.join(unknown)}"
        )
