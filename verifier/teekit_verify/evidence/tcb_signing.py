"""Who signed a TCB info or a QE identity: Intel's TCB signing certificate, issued by the trusted root.

Every fact is one function that returns nothing, or raises NotAuthenticError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from teekit_verify.core.errors import NotAuthenticError
from teekit_verify.evidence.certificates import (
    common_name,
    find_list,
    load_certificates,
    p256_key,
    reading,
    require_issued_by,
    require_known_extensions,
    require_unrevoked,
    require_valid,
)
from teekit_verify.evidence.collateral import TCB_SIGNER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from teekit_verify.evidence.collateral import SignedText
    from teekit_verify.evidence.tcb_info import Period

_WORDS = "TCB signing certificate"
_MAX_CHAIN = 2
_SIGNATURE_BYTES = 64


def signing_certificate(
    pem: str, root: x509.Certificate, lists: Sequence[x509.CertificateRevocationList], at: datetime
) -> x509.Certificate:
    """The first certificate of the chain, after every check of it; a second one must be the trusted root."""
    with reading("TCB signing chain"):
        chain = load_certificates(pem.encode("utf-8", "surrogatepass"))
    signer = chain[0]
    if len(chain) > _MAX_CHAIN or any(_der(above) != _der(root) for above in chain[1:]):
        raise NotAuthenticError("the TCB signing chain ends in another root than the trusted one")
    if common_name(signer) != TCB_SIGNER or signer.issuer != root.subject:
        raise NotAuthenticError(f"the {_WORDS} is not {TCB_SIGNER} of the trusted root")
    require_issued_by(signer, root, _WORDS)
    require_valid(signer, at, _WORDS)
    _require_use(signer)
    revocations = find_list(root, lists)
    if revocations is None:
        raise NotAuthenticError("there is no revocation list of the root, which could name the TCB signing certificate")
    require_unrevoked(signer, root, revocations, at)
    return signer


def require_signed(signed: SignedText, signer: x509.Certificate, words: str) -> None:
    """The text is what `signer` signed: ECDSA on P-256 with SHA-256, r || s."""
    if len(signed.signature) != _SIGNATURE_BYTES:
        raise NotAuthenticError(
            f"the signature of the {words} has {len(signed.signature)} bytes, expected {_SIGNATURE_BYTES}"
        )
    r, s = (int.from_bytes(part, "big") for part in (signed.signature[:32], signed.signature[32:]))
    data = signed.text.encode("utf-8", "surrogatepass")
    try:
        p256_key(signer).verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise NotAuthenticError(f"the signature of the {words} is not that of {TCB_SIGNER}") from error


def require_current(period: Period, at: datetime, words: str) -> None:
    """Issued before `at`, and not due to be replaced then."""
    if at < period.issued:
        raise NotAuthenticError(f"the {words} was issued at {period.issued:%Y-%m-%d %H:%M:%S} UTC only")
    if at > period.next_update:
        raise NotAuthenticError(
            f"the {words} was to be replaced by {period.next_update:%Y-%m-%d %H:%M:%S} UTC: it is out of date"
        )


def _require_use(signer: x509.Certificate) -> None:
    extensions = signer.extensions
    try:
        is_ca = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        signs = extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except x509.ExtensionNotFound as error:
        raise NotAuthenticError(f"the {_WORDS} does not say what its key may be used for") from error
    if is_ca or not signs:
        raise NotAuthenticError(f"the key of the {_WORDS} may not be used for signatures")
    require_known_extensions(extensions, _WORDS)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)
