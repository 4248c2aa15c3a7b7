"""Sigstore bundles: the fields of sigstore_bundle.proto, securesystemslib as a second reader, and hostile ones."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from builders import keys as sample
from builders import statements
from teekit_verify.appraisal.statements.create import signed_statement
from teekit_verify.core.errors import TeekitError
from teekit_verify.reference.signing import bundle, dsse

ALICE = sample.signing_key("alice")
ENVELOPE = dsse.sign("application/example", b'{"a": "payload"}', ALICE)
BUNDLE = json.loads(bundle.dump(ENVELOPE, ALICE.id))


def _verify(fields: dict[str, Any], name: str, kind: str) -> None:
    """By securesystemslib, which has an id of its own for the key; its reader wants one where our signatures have none."""
    key = SSlibKey.from_crypto(load_pem_public_key(sample.public_pem(name, kind)))
    for signature in fields["signatures"]:
        signature.setdefault("keyid", key.keyid)
    assert list(Envelope.from_dict(fields).verify([key], 1)) == [key.keyid]


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_securesystemslib_verifies_statements(kind: str) -> None:
    data = signed_statement(statements.rebuilt(), "alice", statements.COMMIT, sample.signing_key("alice", kind))
    for line in data.splitlines():
        _verify(json.loads(line), "alice", kind)
        with pytest.raises(VerificationError):
            _verify(json.loads(line), "bob", kind)


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_securesystemslib_verifies_what_is_in_our_bundles(kind: str) -> None:
    key = sample.signing_key("alice", kind)
    plain = json.loads(bundle.dump(dsse.sign("application/example", b"payload", key), key.id))
    _verify(plain["dsseEnvelope"], "alice", kind)


def test_a_bundle_has_the_fields_of_the_specification() -> None:
    assert BUNDLE["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    der = base64.b64decode(b"".join(sample.public_pem("alice").splitlines()[1:-1]))
    hint = base64.b64encode(hashlib.sha256(der).digest()).decode()
    assert BUNDLE["verificationMaterial"] == {"publicKey": {"hint": hint}}
    (signature,) = BUNDLE["dsseEnvelope"]["signatures"]
    assert list(signature) == ["sig"]
    assert json.loads(bundle.dump(ENVELOPE, ""))["verificationMaterial"] == {"publicKey": {}}


def test_a_bundle_holds_the_same_signature() -> None:
    read = bundle.parse(json.dumps(BUNDLE).encode(), "file")
    assert (read.payload_type, read.payload) == (ENVELOPE.payload_type, ENVELOPE.payload)
    assert read.signatures[0].value == ENVELOPE.signatures[0].value
    assert bundle.parse(ENVELOPE.dump(), "file") == ENVELOPE, "an envelope by itself is read as it is"


def test_the_log_entries_of_cosign_are_passed_over() -> None:
    entry = {"logIndex": "1", "logId": {"keyId": "AAAA"}, "inclusionProof": {"hashes": ["AAAA"] * 64}}
    material = BUNDLE["verificationMaterial"] | {"tlogEntries": [entry], "timestampVerificationData": {}}
    assert (
        bundle.parse(json.dumps(BUNDLE | {"verificationMaterial": material}).encode(), "file").payload
        == ENVELOPE.payload
    )


def _material(**fields: object) -> dict[str, Any]:
    return {"verificationMaterial": fields}


HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "other media type": ({"mediaType": "application/vnd.dev.sigstore.bundle.v9+json"}, "mediaType: expected"),
    "no media type": ({"mediaType": 3}, "mediaType: expected"),
    "a list of media types": ({"mediaType": [BUNDLE["mediaType"]]}, "mediaType: expected"),
    "an object": ({"mediaType": {}}, "mediaType: expected"),
    "unknown field": ({"more": 1}, "unknown field 'more'"),
    "a file's signature": ({"messageSignature": {}}, "of a file's signature, not of a statement"),
    "certificate": (_material(certificate={"rawBytes": "AAAA"}), "signed with a certificate"),
    "certificate beside a key": (_material(publicKey={}, certificate={}), "signed with a certificate"),
    "chain": (_material(x509CertificateChain={}), "signed with a certificate"),
    "no material": ({"verificationMaterial": None}, "verificationMaterial: expected an object"),
    "no key": (_material(), r"verificationMaterial\.publicKey: expected an object"),
    "unknown material": (_material(publicKey={}, rawKey="AAAA"), "unknown field 'rawKey'"),
    "a key by itself": (_material(publicKey={"rawBytes": "AAAA"}), "unknown field 'rawBytes'"),
    "no envelope": ({"dsseEnvelope": None}, "dsseEnvelope: is not a DSSE envelope"),
    "two signatures": (
        {"dsseEnvelope": BUNDLE["dsseEnvelope"] | {"signatures": BUNDLE["dsseEnvelope"]["signatures"] * 2}},
        "dsseEnvelope.signatures: expected 1 in a bundle, found 2",
    ),
    "a bundle in a bundle": ({"dsseEnvelope": BUNDLE}, "dsseEnvelope: is not a DSSE envelope: unknown field"),
    "wide": ({"tlogEntries": [0] * 20_000}, "too many values"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bundles_are_refused(name: str) -> None:
    changes, message = HOSTILE[name]
    with pytest.raises(TeekitError, match=message):
        bundle.parse(json.dumps(BUNDLE | changes).encode(), "file")


def test_every_truncated_bundle_is_refused() -> None:
    whole = json.dumps(BUNDLE).encode()
    for length in range(0, len(whole), 7):
        with pytest.raises(TeekitError, match=r"^file: is not JSON"):
            bundle.parse(whole[:length], "file")
