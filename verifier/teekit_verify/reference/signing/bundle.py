"""Sigstore bundles (sigstore/protobuf-specs, sigstore_bundle.proto, v0.1 to v0.3 in JSON) around one DSSE envelope.

Only bundles signed by a key that somebody keeps: of those with a certificate of Fulcio's, the key lived for minutes, and who it was is
another question than the pinned keys answer. Entries of transparency logs and timestamps in it are neither needed nor looked at.
"""

from __future__ import annotations

import base64
import json
import re

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.reference.signing import dsse

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_MEDIA_TYPES = {
    MEDIA_TYPE,
    *(f"application/vnd.dev.sigstore.bundle+json;version=0.{minor}" for minor in (1, 2, 3)),
}
_FIELDS = {"mediaType", "verificationMaterial", "dsseEnvelope"}
_MATERIAL = {"publicKey", "tlogEntries", "timestampVerificationData"}
_CERTIFICATES = {"certificate", "x509CertificateChain"}
_MAX_SEPARATORS = 10_000
"""Of an envelope and of a log entry with its inclusion proof: some 200."""
_KEY_ID = re.compile("[0-9a-f]{64}")


def parse(data: bytes, where: str) -> dsse.Envelope:
    """The envelope that `data` is, or that the bundle in it holds. `where` names the file (and line) in errors. Raises TeekitError."""
    value = dsse.bounded_plain(data, where, _MAX_SEPARATORS if b'"mediaType"' in data else dsse.MAX_SEPARATORS)
    return (
        _of_bundle(value, where) if isinstance(value, dict) and "mediaType" in value else dsse.from_plain(value, where)
    )


def _of_bundle(fields: dict[str, object], where: str) -> dsse.Envelope:
    named = fields["mediaType"]
    if not isinstance(named, str) or named not in _MEDIA_TYPES:
        found = printable(str(named)[:80])
        raise TeekitError(f"{where}: mediaType: expected '{MEDIA_TYPE}', found '{found}'")
    if "messageSignature" in fields:
        raise TeekitError(f"{where}: is a Sigstore bundle of a file's signature, not of a statement")
    _require_known(fields, _FIELDS, where)
    _require_public_key(fields.get("verificationMaterial"), f"{where}: verificationMaterial")
    envelope = dsse.from_plain(fields.get("dsseEnvelope"), f"{where}: dsseEnvelope")
    if len(envelope.signatures) != 1:
        raise TeekitError(f"{where}: dsseEnvelope.signatures: expected 1 in a bundle, found {len(envelope.signatures)}")
    return envelope


def _require_public_key(material: object, where: str) -> None:
    if not isinstance(material, dict):
        raise TeekitError(f"{where}: expected an object")
    if _CERTIFICATES & material.keys():
        raise TeekitError(
            f"{where}: the bundle is signed with a certificate, not with a key that can be pinned",
            hint="Ask the auditor for a statement signed with a key: cosign attest-blob --key.",
        )
    _require_known(material, _MATERIAL, where)
    key = material.get("publicKey")
    if not isinstance(key, dict):
        raise TeekitError(f"{where}.publicKey: expected an object, found none")
    _require_known(key, {"hint"}, f"{where}.publicKey")


def _require_known(fields: dict[str, object], known: set[str], where: str) -> None:
    unknown = sorted(fields.keys() - known)
    if unknown:
        raise TeekitError(
            f"{where}: is not a Sigstore bundle that is known: unknown field '{printable(unknown[0][:80])}'"
        )


def dump(envelope: dsse.Envelope, key_id: str) -> bytes:
    """A bundle v0.3 of an envelope with one signature; its verifiers pass over signatures with an id they do not know, so it has none.

    `key_id` is that of `keys.key_id`, or empty: the hint is its bytes in Base64, as cosign writes it.
    """
    (signature,) = envelope.signatures
    unnamed = dsse.Envelope(envelope.payload_type, envelope.payload, (dsse.Signature("", signature.value),))
    known = _KEY_ID.fullmatch(key_id)
    hint = {"hint": base64.b64encode(bytes.fromhex(key_id)).decode()} if known else {}
    fields = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": hint},
        "dsseEnvelope": json.loads(unnamed.dump()),
    }
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
