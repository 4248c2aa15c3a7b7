"""The certificate of a vTPM's attestation key, up to its cloud's root: who vouches that the key is in a vTPM of that cloud.

Profile: RFC 5280, section 6.1, as far as the certificates of such keys go; TCG Credential Profile EK 2.3 and AIK, 3.2 (the key
purpose). Azure's subject says which kind of guest it is: Azure certifies vTPMs of guests that are not confidential as well.
Google's says which machine it is, and nothing of confidentiality; the keys that only decrypt are certified by the same authority, for the
same purpose, and differ by their use (certificates in google/go-tpm-tools, internal/test/certificates, 67670e5c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID

from teekit_verify.core.errors import NotAuthenticError, printable
from teekit_verify.evidence.certificates import common_name, long_names
from teekit_verify.evidence.google_instance import read_instance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    from teekit_verify.evidence.google_instance import GoogleInstance

_MAX_DEPTH = 8
_ATTESTATION_KEY_PURPOSE = x509.ObjectIdentifier("2.23.133.8.3")
_CONFIDENTIAL = ".confidentialvm.azure.windows.net"
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_KNOWN_CRITICAL = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}
"""The last names the TPM's maker and model in Google's, whose subject is empty: nothing asks for them."""


def require_certified(
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    certificates: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    at: datetime,
) -> str:
    """The name in the key's certificate, of Azure. Raises NotAuthenticError if no certificate of the key ends in one of the roots."""
    own = _own(key, certificates)
    name = common_name(own)
    if not name.lower().endswith(_CONFIDENTIAL):
        raise NotAuthenticError(
            f"the key is that of {printable(name)[:80]!r}, which is not a name of a confidential VM"
        )
    _require_purpose(own)
    _require_chain(own, certificates, roots, at)
    return name


def require_google(
    key: rsa.RSAPublicKey, certificates: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime
) -> GoogleInstance:
    """The machine in the key's certificate, of Google Cloud. Raises NotAuthenticError, MalformedInputError for what the extension is not."""
    own = _own(key, certificates)
    _require_signs(own)
    _require_chain(own, certificates, roots, at)
    instance = read_instance(own)
    if instance is None or not instance.production:
        raise NotAuthenticError(
            "the certificate names no machine of Google Compute Engine"
            if instance is None
            else "the certificate does not say that its machine is one of production"
        )
    return instance


def _own(
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, certificates: Sequence[x509.Certificate]
) -> x509.Certificate:
    wanted = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    own = [item for item in certificates if _key_of(item) == wanted]
    if len(own) != 1:
        raise NotAuthenticError(f"expected one certificate of the vTPM's attestation key, found {len(own)}")
    return own[0]


def _require_signs(certificate: x509.Certificate) -> None:
    """For signatures, and for nothing else: a key that decrypts is none that quotes."""
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise NotAuthenticError("the certificate does not say what its key may be used for") from error
    others = (usage.key_encipherment, usage.data_encipherment, usage.key_agreement, usage.key_cert_sign, usage.crl_sign)
    if not usage.digital_signature or any(others):
        raise NotAuthenticError("the certificate is not that of a key that only signs")


def _key_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _require_purpose(certificate: x509.Certificate) -> None:
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound as error:
        raise NotAuthenticError("the certificate does not say that its key is an attestation key") from error
    if _ATTESTATION_KEY_PURPOSE not in purposes:
        raise NotAuthenticError("the certificate does not say that its key is an attestation key")


@long_names()
def _require_chain(
    certificate: x509.Certificate, others: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime
) -> None:
    """From the certificate up, issuer by issuer. Each is looked at once at most, so that no ring of them goes on forever."""
    current = certificate
    for depth in range(_MAX_DEPTH):
        _require_valid(current, at)
        issuer = next((item for item in (*roots, *others) if _issued(current, item)), None)
        if issuer is None:
            raise NotAuthenticError(
                f"no certificate of {printable(common_name_of_issuer(current))[:80]!r} is there, or it did not sign"
            )
        if issuer == current:
            raise NotAuthenticError(
                f"the chain ends in {printable(common_name(issuer))[:80]!r}, which is not one of the trusted roots"
            )
        _require_authority(issuer, depth)
        if issuer in roots:
            _require_valid(issuer, at)
            return
        current = issuer
    raise NotAuthenticError(f"the chain has more than {_MAX_DEPTH} certificates")


def common_name_of_issuer(certificate: x509.Certificate) -> str:
    """As the certificate has it; empty if it names none."""
    names = certificate.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject or not isinstance(certificate.signature_hash_algorithm, _HASHES):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _require_valid(certificate: x509.Certificate, at: datetime) -> None:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= at <= last:
        name = printable(common_name(certificate))[:80]
        raise NotAuthenticError(f"{name!r} is valid from {first:%Y-%m-%d} to {last:%Y-%m-%d} UTC only")
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _KNOWN_CRITICAL:
            raise NotAuthenticError(f"the critical extension {extension.oid.dotted_string} is not known here")


def _require_authority(certificate: x509.Certificate, below: int) -> None:
    """`below` are the authorities between this one and the certificate of the key."""
    name = printable(common_name(certificate))[:80]
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise NotAuthenticError(f"{name!r} does not say what its key may be used for") from error
    too_deep = constraints.path_length is not None and constraints.path_length < below
    if not constraints.ca or not usage.key_cert_sign or too_deep:
        raise NotAuthenticError(f"{name!r} may not issue this certificate")
