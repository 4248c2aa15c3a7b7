"""What Intel publishes about platforms, given as files: revocation lists, TCB infos, the quoting enclave's identity.

Forms: answers of Intel's Provisioning Certification Service, version 4 (TCB info and QE identity as JSON with a signature,
certificates as PEM, revocation lists as DER or PEM), and the one JSON document {pck_crl, root_ca_crl, tcb_info,
tcb_info_signature, tcb_info_issuer_chain, qe_identity, ...} of dcap-qvl. Nothing is believed here: see tcb.py.
"""

from __future__ import annotations

import json
from dataclasses import field, replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding

from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.core.files import read_bounded
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.certificates import Role, common_name, load_certificates, load_revocations, reading
from teekit_verify.evidence.encoded import decode_bytes
from teekit_verify.evidence.plain_json import MAX_JSON_BYTES, parse_json
from teekit_verify.evidence.plain_yaml import looks_like_yaml, parse_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography import x509

TCB_SIGNER = "Intel SGX TCB Signing"
_AUTHORITIES = (*Role.INTERMEDIATE.value, *Role.ROOT.value)
_MAX_FILES = 64
_WHAT = "collateral"
_HINT = "Leave only what Intel's Provisioning Certification Service answered in this folder."
_BUNDLE_CHAINS = ("pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain")


@frozen
class SignedText:
    """JSON text as it was signed, and the signature over it (r || s, 64 bytes)."""

    text: str
    signature: bytes


@frozen
class Collateral:
    """`tcb_infos` by FMSPC (6 bytes). `tcb_signing_chain` is PEM text, the signer first, empty if there is none."""

    revocations: tuple[x509.CertificateRevocationList, ...] = ()
    tcb_infos: Mapping[bytes, SignedText] = field(default_factory=dict)
    qe_identity: SignedText | None = None
    tcb_signing_chain: str = ""


def read_collateral(directory: Path) -> Collateral:
    """Every file of a folder, told by what is in it; or one file. Raises TeekitError, also for a file that is no collateral."""
    try:
        paths = sorted(directory.iterdir()) if directory.is_dir() else [directory]
    except OSError as error:
        raise TeekitError(f"{directory}: cannot be read: {error.strerror}", hint="Name a readable folder.") from error
    if not paths or len(paths) > _MAX_FILES:
        raise TeekitError(
            f"{directory}: expected 1 to {_MAX_FILES} files, found {len(paths)}",
            hint="Make the folder with `collateral fetch QUOTE --output DIR`.",
        )
    collateral = Collateral()
    for path in paths:
        collateral = add(collateral, read_bounded(path, MAX_JSON_BYTES, "collateral"), path.name)
    return collateral


def add(collateral: Collateral, data: bytes, name: str) -> Collateral:
    """With what one file holds. Raises MalformedInputError, UnsupportedInputError."""
    what = f"{_WHAT} {name}"
    if data.startswith(b"-----BEGIN CERTIFICATE"):
        return _add_chain(collateral, data, what)
    if data.startswith((b"-----BEGIN X509 CRL", b"\x30")):
        return _add_revocations(collateral, data, what)
    if data.lstrip().startswith(b"{"):
        return _add_json(collateral, data, what)
    if looks_like_yaml(data.decode("utf-8", "replace")):
        return _add_yaml(collateral, data, what)
    raise UnsupportedInputError(
        f"{what}: neither certificates, a revocation list, a TCB info nor a QE identity", hint=_HINT
    )


def _add_chain(collateral: Collateral, data: bytes, what: str) -> Collateral:
    with reading("certificates", what):
        certificates = load_certificates(data)
        name = common_name(certificates[0])
    if name == TCB_SIGNER:
        pem = b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
        return replace(collateral, tcb_signing_chain=pem.decode("ascii"))
    if name not in _AUTHORITIES:
        raise UnsupportedInputError(f"{what}: the certificate of {name!r} is not collateral", hint=_HINT)
    return collateral  # the quote brings these itself, and they are checked there


def _add_revocations(collateral: Collateral, data: bytes, what: str) -> Collateral:
    with reading("revocation list", what):
        revocations = load_revocations(data)
    return replace(collateral, revocations=(*collateral.revocations, revocations))


def _add_json(collateral: Collateral, data: bytes, what: str) -> Collateral:
    document = parse_json(data, what)
    assert isinstance(document, dict)  # noqa: S101 - it starts with a brace
    if isinstance(document.get("tcbInfo"), dict):
        return _add_tcb_info(collateral, _signed(data, document, "tcbInfo", what), what)
    if isinstance(document.get("enclaveIdentity"), dict):
        return replace(collateral, qe_identity=_signed(data, document, "enclaveIdentity", what))
    if isinstance(document.get("tcb_info"), str) and isinstance(document.get("qe_identity"), str):
        return _add_bundle(collateral, document, what)
    raise UnsupportedInputError(
        f"{what}: JSON that is neither a TCB info, a QE identity nor dcap-qvl's collateral", hint=_HINT
    )


def _add_yaml(collateral: Collateral, data: bytes, what: str) -> Collateral:
    """The bundle as attested-tls keeps it, with bytes as lists of numbers; the signed texts are texts in it too."""
    document = parse_document(data, what)
    if not isinstance(document, dict) or not isinstance(document.get("tcb_info"), str):
        raise UnsupportedInputError(f"{what}: YAML that is not collateral", hint=_HINT)
    if not isinstance(document.get("qe_identity"), str):
        raise MalformedInputError(what, field="qe_identity", offset=0, problem="expected text")
    return _add_bundle(collateral, document, what)


def _signed(data: bytes, document: Mapping[str, object], key: str, what: str) -> SignedText:
    """The text between `"key":` and the end of its value: signed is the text as it was sent, not what it means."""
    text = data.decode("utf-8")
    head = f'{{"{key}":'
    if not text.startswith(head + "{"):
        raise MalformedInputError(what, field=key, offset=0, problem=f"expected it first, as {head}")
    _, end = json.JSONDecoder().raw_decode(text, len(head))
    return SignedText(text[len(head) : end], _from_hex(document, "signature", what))


def _from_hex(document: Mapping[str, object], name: str, what: str) -> bytes:
    value = document.get(name)
    if isinstance(value, list):
        return decode_bytes(value, what, name)
    try:
        return bytes.fromhex(value if isinstance(value, str) else "-")
    except ValueError as error:
        raise MalformedInputError(what, field=name, offset=0, problem="expected hexadecimal text") from error


def _add_tcb_info(collateral: Collateral, signed: SignedText, what: str) -> Collateral:
    document = parse_json(signed.text.encode("utf-8", "surrogatepass"), what)
    fields = document if isinstance(document, dict) else {}
    if fields.get("id") != "TDX":
        raise UnsupportedInputError(f"{what}: not a TCB info of TDX", hint="Ask for tdx/certification/v4/tcb.")
    fmspc = _from_hex(fields, "fmspc", what)
    if fmspc in collateral.tcb_infos:
        raise TeekitError(f"{what}: a second TCB info of FMSPC {fmspc.hex()}", hint="Keep the newer one only.")
    return replace(collateral, tcb_infos={**collateral.tcb_infos, fmspc: signed})


def _add_bundle(collateral: Collateral, document: Mapping[str, object], what: str) -> Collateral:
    for name in ("root_ca_crl", "pck_crl"):
        collateral = _add_revocations(collateral, _from_hex(document, name, what), what)
    for name in _BUNDLE_CHAINS:
        chain = document.get(name)
        if not isinstance(chain, str):
            raise MalformedInputError(what, field=name, offset=0, problem="expected PEM text")
        collateral = _add_chain(collateral, chain.encode("utf-8", "surrogatepass"), what)
    signed = SignedText(str(document["tcb_info"]), _from_hex(document, "tcb_info_signature", what))
    identity = SignedText(str(document["qe_identity"]), _from_hex(document, "qe_identity_signature", what))
    return _add_tcb_info(replace(collateral, qe_identity=identity), signed, what)
