"""The certificate chain of a quote, from the PCK certificate (the platform's own) to Intel's root, and revocation lists.

Profile: Intel SGX PCK Certificate and Certificate Revocation List Profile Specification 1.5, sections 1.2 and 1.3. Every
fact is one function that returns nothing, or raises NotAuthenticError.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID

from teekit_verify.core.errors import MalformedInputError, NotAuthenticError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.sgx_extension import SGX_EXTENSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

_WHAT = "certificate chain"
_MAX_CHAIN_BYTES = 64 << 10
_FOREIGN_ERRORS = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
    Warning,
)
"""What the cryptography library raises for certificates it cannot read, its warnings included."""


class Role(Enum):
    """The places of a chain, in their order. The value is the subject's common name; a PCK CA has one of two."""

    PCK = ("Intel SGX PCK Certificate",)
    INTERMEDIATE = ("Intel SGX PCK Platform CA", "Intel SGX PCK Processor CA")
    ROOT = ("Intel SGX Root CA",)

    @property
    def in_words(self) -> str:
        """The role as messages call it."""
        return {Role.PCK: "PCK certificate", Role.INTERMEDIATE: "PCK CA", Role.ROOT: "root"}[self]


@frozen
class PckChain:
    """Three certificates by role. `order` are the roles in the order of the quote; ROOT, PCK, ... for a chain out of order."""

    leaf: x509.Certificate
    intermediate: x509.Certificate
    root: x509.Certificate
    order: tuple[Role, ...]

    @property
    def links(self) -> tuple[tuple[Role, x509.Certificate, x509.Certificate], ...]:
        """Each certificate with its issuer's."""
        return (
            (Role.PCK, self.leaf, self.intermediate),
            (Role.INTERMEDIATE, self.intermediate, self.root),
            (Role.ROOT, self.root, self.root),
        )


@contextmanager
def reading(field: str, what: str = _WHAT) -> Iterator[None]:
    """Turn what the library raises while it reads foreign bytes into MalformedInputError."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            yield
        except _FOREIGN_ERRORS as error:
            said = str(error).partition(" See http")[0]  # the library's own help is about its callers
            problem = f"cannot be read: {printable(said)[:200]}"
            raise MalformedInputError(what, field=field, offset=0, problem=problem) from error


@contextmanager
def long_names() -> Iterator[None]:
    """Google's authorities have names longer than the 64 characters of RFC 5280, A.1 (ub-common-name), of which the library warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Attribute's length must be", UserWarning)
        yield


def parse_chain(data: bytes) -> PckChain:
    """The PEM text of a quote: PCK certificate, PCK CA, root. Raises MalformedInputError.

    Nothing may differ from the text that the certificates give when they are written anew: no byte of it goes unnoticed.
    """
    if len(data) > _MAX_CHAIN_BYTES:
        problem = f"expected at most {_MAX_CHAIN_BYTES} bytes, found {len(data)}"
        raise MalformedInputError(_WHAT, field="size", offset=0, problem=problem)
    with reading("PEM"):
        found = load_certificates(data.removesuffix(b"\0"))
        written = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in found)
    if len(found) != len(Role):
        problem = f"expected {len(Role)} certificates, found {len(found)}"
        raise MalformedInputError(_WHAT, field="PEM", offset=0, problem=problem)
    if data.replace(b"\r\n", b"\n") not in {written, written + b"\0", written.removesuffix(b"\n")}:
        raise MalformedInputError(_WHAT, field="PEM", offset=0, problem="there is something besides three certificates")
    return _by_role(found)


def load_certificates(pem: bytes) -> list[x509.Certificate]:
    """Read to the last field, which the library would do only when asked for it. To be called in `reading`."""
    found = x509.load_pem_x509_certificates(pem)
    for item in found:
        _ = item.subject, item.issuer, item.extensions, item.public_key(), item.signature_hash_algorithm
        _ = item.not_valid_before_utc, item.not_valid_after_utc, item.serial_number
    return found


def load_revocations(data: bytes) -> x509.CertificateRevocationList:
    """Likewise a revocation list, as DER or PEM."""
    load = x509.load_pem_x509_crl if data.startswith(b"-") else x509.load_der_x509_crl
    found = load(data)
    _ = found.issuer, found.extensions, found.last_update_utc, found.next_update_utc
    for item in found:
        _ = item.serial_number, item.revocation_date_utc, item.extensions
    return found


def _by_role(found: Sequence[x509.Certificate]) -> PckChain:
    """By the subjects' names; where these are not one of each, by their places, and the names are refused later."""
    roles = [role for certificate in found for role in Role if common_name(certificate) in role.value]
    if len(roles) != len(Role) or len(set(roles)) != len(Role):
        roles = list(Role)
    placed = dict(zip(roles, found, strict=True))
    return PckChain(placed[Role.PCK], placed[Role.INTERMEDIATE], placed[Role.ROOT], tuple(roles))


def common_name(certificate: x509.Certificate | x509.CertificateRevocationList) -> str:
    """The subject's, or a revocation list's issuer's. Empty if there is not exactly one."""
    name = certificate.subject if isinstance(certificate, x509.Certificate) else certificate.issuer
    names = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if len(names) == 1 else ""


def require_order(chain: PckChain) -> None:
    """The roles are in the order of `Role`. Raises NotAuthenticError."""
    if chain.order != tuple(Role):
        found = ", ".join(role.in_words for role in chain.order)
        raise NotAuthenticError(
            f"the certificates are out of order: expected PCK certificate, PCK CA, root, found {found}"
        )


def require_names(chain: PckChain) -> None:
    """Each certificate has the common name of its role and names the next one as its issuer. Raises NotAuthenticError."""
    for role, certificate, issuer in chain.links:
        found = common_name(certificate)
        if found not in role.value:
            expected = " or ".join(role.value)
            raise NotAuthenticError(f"the {role.in_words} is named {printable(found)[:80]!r}, expected {expected}")
        if certificate.issuer != issuer.subject:
            raise NotAuthenticError(f"the {role.in_words} was not issued by {printable(common_name(issuer))}")


def require_signatures(chain: PckChain) -> None:
    """Each certificate is signed by the next one, the root by itself. Raises NotAuthenticError."""
    for role, certificate, issuer in chain.links:
        require_issued_by(certificate, issuer, role.in_words)


def require_issued_by(certificate: x509.Certificate, issuer: x509.Certificate, words: str) -> None:
    """ECDSA on P-256 with SHA-256 by the key of `issuer`; `words` name the certificate. Raises NotAuthenticError."""
    algorithm = certificate.signature_hash_algorithm
    if not isinstance(algorithm, SHA256):
        raise NotAuthenticError(f"the {words} is not signed with SHA-256")
    try:
        p256_key(issuer).verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(algorithm))
    except InvalidSignature as error:
        raise NotAuthenticError(
            f"the signature of the {words} is not that of {printable(common_name(issuer))}"
        ) from error


def p256_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    """The public key. Raises NotAuthenticError if it is not on the curve P-256."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise NotAuthenticError(f"the key of {printable(common_name(certificate))!r} is not an ECDSA key on P-256")
    return key


def require_root(chain: PckChain, trusted: x509.Certificate) -> None:
    """The root must be the trusted certificate, byte for byte: a root that a quote brings along proves nothing."""
    if chain.root.public_bytes(Encoding.DER) != trusted.public_bytes(Encoding.DER):
        raise NotAuthenticError(
            f"the chain ends in another root: expected {fingerprint(trusted)}, found {fingerprint(chain.root)}"
        )


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER form, as `openssl x509 -fingerprint -sha256` has it."""
    return f"sha256:{certificate.fingerprint(SHA256()).hex()}"


def require_constraints(chain: PckChain) -> None:
    """Only CAs may issue, no deeper than they may; no critical extension that is not understood (RFC 5280, 4.2 and 6.1)."""
    for depth, (role, certificate, _) in enumerate(chain.links):
        extensions = certificate.extensions
        try:
            constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
            usage = extensions.get_extension_for_class(x509.KeyUsage).value
        except x509.ExtensionNotFound as error:
            raise NotAuthenticError(f"the {role.in_words} does not say what its key may be used for") from error
        is_ca = role is not Role.PCK
        if constraints.ca is not is_ca:
            raise NotAuthenticError(f"the {role.in_words} is {'not a' if is_ca else 'a'} certificate authority")
        if is_ca and constraints.path_length is not None and constraints.path_length < depth - 1:
            allowed = constraints.path_length
            raise NotAuthenticError(f"the {role.in_words} allows {allowed} authorities below it, found {depth - 1}")
        if not (usage.key_cert_sign if is_ca else usage.digital_signature):
            use = "sign certificates" if is_ca else "be used for signatures"
            raise NotAuthenticError(f"the key of the {role.in_words} may not {use}")
        require_known_extensions(extensions, role.in_words)


_KNOWN_CRITICAL = {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, SGX_EXTENSION}


def require_known_extensions(extensions: x509.Extensions, words: str) -> None:
    """No critical extension that is not understood (RFC 5280, 4.2). Raises NotAuthenticError."""
    for extension in extensions:
        if extension.critical and extension.oid not in _KNOWN_CRITICAL:
            raise NotAuthenticError(
                f"the {words} has the critical extension {extension.oid.dotted_string}, not known here"
            )


def require_validity(chain: PckChain, at: datetime) -> None:
    """Every certificate is valid at this time (aware). Raises NotAuthenticError."""
    for role, certificate, _ in chain.links:
        require_valid(certificate, at, role.in_words)


def require_valid(certificate: x509.Certificate, at: datetime, words: str) -> None:
    """It is valid at this time (aware). Raises NotAuthenticError."""
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if at < first:
        raise NotAuthenticError(f"the {words} is valid from {first:%Y-%m-%d %H:%M:%S} UTC only")
    if at > last:
        raise NotAuthenticError(f"the {words} expired at {last:%Y-%m-%d %H:%M:%S} UTC")


def find_list(
    issuer: x509.Certificate, lists: Sequence[x509.CertificateRevocationList]
) -> x509.CertificateRevocationList | None:
    """The newest revocation list of an authority."""
    own = [item for item in lists if item.issuer == issuer.subject]
    return max(own, key=lambda item: item.last_update_utc, default=None)


def require_unrevoked(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    revocations: x509.CertificateRevocationList,
    at: datetime,
) -> None:
    """The list must be the issuer's own, signed, of the given time, and without the certificate (RFC 5280, 6.3.3).

    An authority that names itself in its list takes back what it issued, a root as any other.
    """
    words = f"revocation list of {printable(common_name(issuer))}"
    signed = revocations.is_signature_valid(p256_key(issuer))
    first, last = revocations.last_update_utc, revocations.next_update_utc
    entry = revocations.get_revoked_certificate_by_serial_number(certificate.serial_number)
    if not signed:
        raise NotAuthenticError(f"the signature of the {words} is not that of its authority")
    require_known_extensions(revocations.extensions, words)
    if at < first:
        raise NotAuthenticError(f"the {words} is of {first:%Y-%m-%d %H:%M:%S} UTC, later than the time to check at")
    if last is None or at > last:
        until = "no time" if last is None else f"{last:%Y-%m-%d %H:%M:%S} UTC"
        raise NotAuthenticError(f"the {words} holds until {until}: it is out of date")
    if entry is not None:
        raise NotAuthenticError(
            f"{printable(common_name(certificate))} {certificate.serial_number:x} was revoked by its authority"
        )
    if issuer.issuer == issuer.subject and _names(revocations, issuer):
        raise NotAuthenticError(
            f"{printable(common_name(issuer))} {issuer.serial_number:x} was revoked by its own revocation list"
        )


def _names(revocations: x509.CertificateRevocationList, certificate: x509.Certificate) -> bool:
    return revocations.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
