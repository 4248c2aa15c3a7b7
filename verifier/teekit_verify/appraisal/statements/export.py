"""A statement in the forms that other programs read: Sigstore bundles, and an in-toto link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.statement import PROVENANCE_TYPE, verdict_of
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import codec
from teekit_verify.reference.signing import bundle
from teekit_verify.reference.signing.keys import TrustedKey
from teekit_verify.reference.signing.link import sign_link

if TYPE_CHECKING:
    from teekit_verify.reference.signing import dsse
    from teekit_verify.reference.signing.keys import SigningKey

BUNDLE, PROVENANCE_BUNDLE, LINK = ".sigstore.json", ".provenance.sigstore.json", ".in-toto.link"


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
    public = TrustedKey("", key.private.public_key(), key.id)
    if not all(
        public.made(item.value, envelope.signed_bytes) for envelope in envelopes for item in envelope.signatures
    ):
        raise TeekitError(f"{where}: is not signed by this key", hint="Name the key that signed the statement.")
    stated = verdict_of(envelopes, where)
    if stated.predicate.verdict is Verdict.MISMATCH:
        raise TeekitError(f"{where}: states a MISMATCH, which a link cannot say", hint="Publish the statement itself.")
    products = {subject.name: subject.digest.sha256 for subject in stated.subject}
    name = " + ".join((stated.predicate.image, *stated.predicate.profiles))
    return sign_link(f"rebuild {name}", {"inputs": stated.predicate.inputs_sha256}, products, key)
