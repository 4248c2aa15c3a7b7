"""A statement in the forms that other programs read: Sigstore bundles, an in-toto link, a verification summary of SLSA."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.statement import (
    PAYLOAD_TYPE,
    PROVENANCE_TYPE,
    STATEMENT_TYPE,
    Statement,
    read_file,
    verdict_of,
)
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import codec
from teekit_verify.reference.signing import bundle, dsse
from teekit_verify.reference.signing.keys import TrustedKey
from teekit_verify.reference.signing.link import public_of, public_pem, sign_link

if TYPE_CHECKING:
    from teekit_verify.reference.signing.keys import SigningKey

BUNDLE, PROVENANCE_BUNDLE = ".sigstore.json", ".provenance.sigstore.json"
LINK, LINK_KEY, SUMMARY = ".in-toto.link", ".in-toto.pub", ".vsa.json"
SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1"
REPRODUCED_LEVEL = "TEEKIT_VERIFY_REPRODUCED"
"""The specification keeps names that begin with SLSA_ for itself."""
_AUTHORITY = "tag:teekit-verify,2026"
_UNRESERVED = frozenset(f"{string.ascii_letters}{string.digits}-._~".encode())
"""RFC 3986, section 2.3."""


def bundles(envelopes: tuple[dsse.Envelope, ...], where: str) -> dict[str, bytes]:
    """A Sigstore bundle of each envelope, by the suffix of its file. The signatures stay what they are; they are not checked.

    Raises TeekitError for what is not the statement of one auditor.
    """
    verdict_of(envelopes, where)
    return {_suffix(envelope, where): bundle.dump(envelope, envelope.signatures[0].key_id) for envelope in envelopes}


def _suffix(envelope: dsse.Envelope, where: str) -> str:
    plain = codec.bounded_json(envelope.payload, where)
    provenance = isinstance(plain, dict) and plain.get("predicateType") == PROVENANCE_TYPE
    return PROVENANCE_BUNDLE if provenance else BUNDLE


def link(envelopes: tuple[dsse.Envelope, ...], key: SigningKey, where: str) -> bytes:
    """An in-toto link that says: from these inputs, these artifacts. Raises TeekitError for a statement that `key` did not sign.

    None is made of a MISMATCH: a link has no place for a verdict, and who counts links counts it as agreement.
    """
    stated = _own_verdict(envelopes, key, where)
    if stated.predicate.verdict is Verdict.MISMATCH:
        raise TeekitError(
            f"{where}: states a MISMATCH, which a link cannot express", hint="Publish the statement itself."
        )
    products = {subject.name: subject.digest.sha256 for subject in stated.subject}
    name = " + ".join((stated.predicate.image, *stated.predicate.profiles))
    return sign_link(f"rebuild {name}", {"inputs": stated.predicate.inputs_sha256}, products, key)


def link_key(key: SigningKey) -> bytes:
    """The public half, as readers of links take it. Raises TeekitError for one that signs no links."""
    return public_pem(public_of(key))


def _own_verdict(envelopes: tuple[dsse.Envelope, ...], key: SigningKey, where: str) -> Statement:
    """What `key` states in them: nobody signs another form of what somebody else found. Raises TeekitError."""
    public = TrustedKey("", key.private.public_key(), key.id)
    if not all(
        public.made(item.value, envelope.signed_bytes) for envelope in envelopes for item in envelope.signatures
    ):
        raise TeekitError(f"{where}: is not signed by this key", hint="Name the key that signed the statement.")
    return verdict_of(envelopes, where)


def _quoted(text: str) -> str:
    """Percent-encoded (RFC 3986, section 2.1)."""
    return "".join(chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def verification_summary(data: bytes, name: str, key: SigningKey, where: str) -> bytes:
    """A signed verification summary (slsa.dev/spec/v1.0/verification_summary): the published artifacts were reproduced.

    `data` are the bytes of the statement, `name` what its file is called. Only REPRODUCED is about artifacts that were published: those of a
    MISMATCH are the auditor's own, and a summary of theirs would say nothing about the others. It claims no level of SLSA's: a rebuild shows none.

    Raises TeekitError for other verdicts, and for a statement that `key` did not sign.
    """
    stated = _own_verdict(read_file(data, where), key, where)
    reference = stated.predicate.reference
    if stated.predicate.verdict is not Verdict.REPRODUCED or reference is None:
        raise TeekitError(
            f"{where}: states {stated.predicate.verdict.value}: a summary is about published artifacts that were reproduced",
            hint="Publish the statement itself.",
        )
    predicate = {
        "verifier": {
            "id": f"{_AUTHORITY}:auditor/{stated.predicate.auditor}",
            "version": {"teekit-verify": stated.predicate.tool_version},
        },
        "resourceUri": f"{_AUTHORITY}:release/{_quoted(reference.release)}",
        "policy": {
            "uri": f"{_AUTHORITY}:reference/{_quoted(reference.release)}",
            "digest": {"sha256": reference.sha256.hex},
        },
        "inputAttestations": [{"uri": _quoted(name), "digest": {"sha256": Digest.of(Algorithm.SHA256, data).hex}}],
        "verificationResult": "PASSED",
        "verifiedLevels": [REPRODUCED_LEVEL],
    }
    subjects = [{"name": item.name, "digest": {"sha256": item.digest.sha256.hex}} for item in stated.subject]
    summary = {"_type": STATEMENT_TYPE, "subject": subjects, "predicateType": SUMMARY_TYPE, "predicate": predicate}
    payload = json.dumps(summary, ensure_ascii=False, separators=(",", ":")).encode()
    return dsse.sign(PAYLOAD_TYPE, payload, key, named=False).dump()
