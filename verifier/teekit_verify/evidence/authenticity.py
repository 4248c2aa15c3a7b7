"""Whether a TDX quote is authentic: the signatures from the TD's report up to the platform's PCK certificate.

Layout of the signature data: Intel TDX DCAP Quoting Library API, appendix A.3.8 to A.3.11 (all integers little-endian).
Every fact is one function that returns nothing, or raises NotAuthenticError. The certificates are certificates.py's.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import NotAuthenticError, UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.certificates import PckChain, p256_key, parse_chain

if TYPE_CHECKING:
    from teekit_verify.evidence.quote import Quote

_WHAT = "quote signature data"
_ECDSA_P256 = 2
_QE_REPORT_DATA, _PCK_CHAIN = 6, 5
"""Types of certification data: QE report with what certifies it; PCK certificate chain as PEM text."""
_INTEL_QE_VENDOR = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")

_TD_QE_MRSIGNER = bytes.fromhex("dc9e2a7c6f948f17474e34a7fc43ed030f7c1563f1babddf6340c82e0e54a8c5")
_TD_QE_PRODUCT = 2
_TD_QE_ATTRIBUTES = bytes.fromhex("11000000000000000000000000000000")
_TD_QE_ATTRIBUTES_MASK = bytes.fromhex("fbffffffffffffff0000000000000000")
"""Intel's TD quoting enclave, as the identity "TD_QE" that Intel signs names it (version 2; initialised, with the provisioning key,
not debuggable). Tests compare this with such an identity."""


@frozen
class EnclaveReport:
    """The report of the quoting enclave: 384 bytes, an SGX REPORT without its MAC. `report_data` has 64 bytes."""

    signed: bytes
    attributes: bytes
    mrenclave: bytes
    mrsigner: bytes
    product: int
    svn: int
    report_data: bytes


@frozen
class QuoteSignature:
    """What vouches for a quote; nothing of it was verified. Keys are x || y, signatures r || s, big-endian, 64 bytes each."""

    signature: bytes
    attestation_key: bytes
    qe_report: EnclaveReport
    qe_report_signature: bytes
    qe_auth_data: bytes
    chain: PckChain


def parse_signature(quote: Quote) -> QuoteSignature:
    """Raises MalformedInputError, with offsets in the signature data; UnsupportedInputError for other keys or certification."""
    if quote.attestation_key_type != _ECDSA_P256:
        raise UnsupportedInputError(
            f"attestation keys of {quote.attestation_key_name} are not supported, only ECDSA-P256"
        )
    outer = Reader(memoryview(quote.signature_data), _WHAT)
    signature, key = bytes(outer.take(64, "signature")), bytes(outer.take(64, "attestation key"))
    inner = _certification(outer, _QE_REPORT_DATA, "QE certification data")
    report = _enclave_report(inner)
    report_signature = bytes(inner.take(64, "QE report signature"))
    auth_data = bytes(inner.take(inner.u16("QE authentication data size"), "QE authentication data"))
    chain = _certification(inner, _PCK_CHAIN, "PCK certification data")
    return QuoteSignature(signature, key, report, report_signature, auth_data, parse_chain(bytes(chain.data)))


def _certification(reader: Reader, expected: int, field: str) -> Reader:
    """Type, size and data, which must be the last that there is."""
    found = reader.u16(f"{field} type")
    if found != expected:
        raise UnsupportedInputError(f"{field} of type {found} is not supported, only {expected}")
    data = reader.take(reader.u32(f"{field} size"), field)
    if reader.remaining:
        raise reader.fail(field, f"{reader.remaining} bytes follow it")
    return Reader(data, _WHAT, base=reader.base + reader.position - len(data))


def _enclave_report(reader: Reader) -> EnclaveReport:
    data = bytes(reader.take(384, "QE report"))
    return EnclaveReport(
        signed=data,
        attributes=data[48:64],
        mrenclave=data[64:96],
        mrsigner=data[128:160],
        product=int.from_bytes(data[256:258], "little"),
        svn=int.from_bytes(data[258:260], "little"),
        report_data=data[320:384],
    )


def require_quote_signature(quote: Quote, signature: QuoteSignature) -> None:
    """Header and body are signed by the attestation key."""
    x, y = (int.from_bytes(part, "big") for part in (signature.attestation_key[:32], signature.attestation_key[32:]))
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError as error:
        raise NotAuthenticError("the attestation key is not a point on the curve P-256") from error
    _verify(key, signature.signature, quote.signed, "the attestation key did not sign this header and body")


def require_key_binding(signature: QuoteSignature) -> None:
    """The quoting enclave vouches for the attestation key: its REPORTDATA is SHA-256(key || authentication data), 32 zeros."""
    expected = hashlib.sha256(signature.attestation_key + signature.qe_auth_data).digest() + bytes(32)
    if signature.qe_report.report_data != expected:
        raise NotAuthenticError("the quoting enclave vouches for a different attestation key, not the quote's")


def require_qe_report_signature(signature: QuoteSignature) -> None:
    """The platform vouches for the quoting enclave."""
    key = p256_key(signature.chain.leaf)
    words = "the key of the PCK certificate did not sign this QE report"
    _verify(key, signature.qe_report_signature, signature.qe_report.signed, words)


def require_intel_quoting_enclave(quote: Quote, signature: QuoteSignature) -> None:
    """The platform vouches for any enclave that may use the provisioning key; only Intel's TD quoting enclave is believed."""
    report = signature.qe_report
    attributes = bytes(a & b for a, b in zip(report.attributes, _TD_QE_ATTRIBUTES_MASK, strict=True))
    if quote.qe_vendor_id != _INTEL_QE_VENDOR:
        raise NotAuthenticError(f"the QE vendor is {quote.qe_vendor_id.hex()}, not Intel")
    if report.mrsigner != _TD_QE_MRSIGNER:
        raise NotAuthenticError(f"the quoting enclave was signed by {report.mrsigner.hex()}, not by Intel")
    if report.product != _TD_QE_PRODUCT:
        raise NotAuthenticError(
            f"the enclave is Intel's product {report.product}, not {_TD_QE_PRODUCT}, the TD quoting enclave"
        )
    if attributes != _TD_QE_ATTRIBUTES:
        raise NotAuthenticError(
            f"the quoting enclave has the attributes {report.attributes.hex()}: debuggable or unusual"
        )


def _verify(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes, words: str) -> None:
    r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
    try:
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise NotAuthenticError(words) from error
