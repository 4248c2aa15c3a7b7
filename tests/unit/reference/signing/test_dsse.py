"""The signing envelope: the specification's example, its vectors, OpenSSL as a second verifier, and hostile envelopes."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from builders import keys as sample
from builders.tools import require
from teekit_verify.core.errors import TeekitError
from teekit_verify.reference.signing import dsse
from teekit_verify.reference.signing.dsse import Standing
from teekit_verify.reference.signing.keys import SigningKey, TrustedKey, key_id

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "assets/dsse/vectors.json").read_text("utf-8"))
TODAY = date(2026, 11, 23)

# protocol.md, "Test Vectors"
HELLO_TYPE, HELLO = "http://example.com/HelloWorld", b"hello world"
HELLO_KEY = 97358161215184420915383655311931858321456579547487070936769975997791359926199
HELLO_X = 46950820868899156662930047687818585632848591499744589407958293238635476079160
HELLO_Y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
HELLO_SIGNATURE = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA=="


def test_the_specifications_example() -> None:
    """Its signature is r and s side by side; ours is DER, as OpenSSL has it."""
    private = ec.derive_private_key(HELLO_KEY, ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    assert (numbers.x, numbers.y) == (HELLO_X, HELLO_Y)
    envelope = dsse.sign(HELLO_TYPE, HELLO, SigningKey(private, key_id(private.public_key())))
    assert envelope.signed_bytes == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    r, s = utils.decode_dss_signature(envelope.signatures[0].value)
    assert base64.b64encode(r.to_bytes(32) + s.to_bytes(32)).decode() == HELLO_SIGNATURE
    assert json.loads(envelope.dump())["payload"] == "aGVsbG8gd29ybGQ="


def _trusted(name: str) -> TrustedKey:
    public = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(VECTORS["keys"][name]["public"]))
    return TrustedKey(name, public, key_id(public))


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["id"])
def test_vectors(vector: dict[str, Any]) -> None:
    envelope = dsse.parse(json.dumps(vector["envelope"]).encode(), "vector")
    trusted = [_trusted(name) for name in vector["trustedKeys"]]
    judged = [dsse.judge(envelope, signature, trusted, TODAY) for signature in envelope.signatures]
    keys = {item.key.id for item in judged if item.standing is Standing.GOOD and item.key}
    supported = envelope.payload_type in vector["supportedPayloadTypes"]
    assert (len(keys) >= vector["threshold"] and supported) == (vector["expect"] == "accept")
    if vector["id"] != "payload-type-swapped":
        assert envelope.signed_bytes.hex() == vector["pae"]


@pytest.mark.parametrize("name", ["A", "B"])
def test_we_sign_as_the_vectors_do(name: str) -> None:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(VECTORS["keys"][name]["seed"]))
    vector = next(item for item in VECTORS["vectors"] if item["id"] == "threshold-two-distinct-keys")["envelope"]
    payload = base64.b64decode(vector["payload"])
    made = dsse.sign(vector["payloadType"], payload, SigningKey(private, "")).signatures[0].value
    assert made == base64.b64decode(next(item["sig"] for item in vector["signatures"] if item["keyid"] == name))


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_openssl_verifies_the_encoded_bytes(tmp_path: Path, kind: str) -> None:
    envelope = dsse.sign("application/example", b"payload", sample.signing_key("alice", kind))
    (tmp_path / "public.pem").write_bytes(sample.public_pem("alice", kind))
    (tmp_path / "signed").write_bytes(b"DSSEv1 19 application/example 7 payload")
    (tmp_path / "signature").write_bytes(envelope.signatures[0].value)
    argv = [require("openssl"), "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-rawin", "-in", "signed"]
    digest = [] if kind == "ed25519" else ["-digest", "sha256"]
    done = subprocess.run([*argv, *digest, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


ENVELOPE = dsse.sign("application/example", b'{"a": "payload"}?~', sample.signing_key("alice"))
ALICE = sample.trusted_key("alice")
BOB = sample.trusted_key("bob")


def _standing(envelope: dsse.Envelope, *trusted: TrustedKey) -> Standing:
    return dsse.judge(envelope, envelope.signatures[0], trusted, TODAY).standing


def test_an_envelope_survives_being_written() -> None:
    assert dsse.parse(ENVELOPE.dump(), "file") == ENVELOPE
    assert ENVELOPE.dump().count(b"\n") == 1


def test_only_the_signers_key_makes_it_good() -> None:
    assert dsse.judge(ENVELOPE, ENVELOPE.signatures[0], [BOB, ALICE], TODAY) == dsse.Judgement(Standing.GOOD, ALICE)
    assert _standing(ENVELOPE, BOB) is Standing.NO_KEY
    assert _standing(ENVELOPE) is Standing.NO_KEY
    assert _standing(ENVELOPE, replace(ALICE, expires=TODAY)) is Standing.GOOD
    assert _standing(ENVELOPE, replace(ALICE, expires=date(2026, 11, 22))) is Standing.EXPIRED


def test_key_ids_decide_nothing() -> None:
    signature = ENVELOPE.signatures[0]
    for lie in ("", BOB.id, "x" * 1000):
        lying = replace(ENVELOPE, signatures=(replace(signature, key_id=lie),))
        assert dsse.judge(lying, lying.signatures[0], [BOB, ALICE], TODAY).key is ALICE
        assert _standing(lying, ALICE) is Standing.GOOD
    mallory = dsse.sign("application/example", ENVELOPE.payload, sample.signing_key("mallory"))
    pretending = replace(mallory, signatures=(replace(mallory.signatures[0], key_id=ALICE.id),))
    assert _standing(pretending, ALICE, BOB) is Standing.BAD_SIGNATURE


def test_every_changed_byte_of_payload_type_or_signature_is_noticed() -> None:
    for position in range(len(ENVELOPE.payload)):
        payload = bytearray(ENVELOPE.payload)
        payload[position] ^= 1
        assert _standing(replace(ENVELOPE, payload=bytes(payload)), ALICE) is Standing.BAD_SIGNATURE
    for position in range(64):
        value = bytearray(ENVELOPE.signatures[0].value)
        value[position] ^= 0x10
        changed = replace(ENVELOPE, signatures=(dsse.Signature(ALICE.id, bytes(value)),))
        assert _standing(changed, ALICE) is Standing.BAD_SIGNATURE
    for kind in ("application/exampl", "application/Example", "application/example ", ""):
        assert _standing(replace(ENVELOPE, payload_type=kind), ALICE) is Standing.BAD_SIGNATURE


def test_the_border_between_type_and_payload_is_signed() -> None:
    moved = replace(ENVELOPE, payload_type="application/exampl", payload=b"e" + ENVELOPE.payload)
    assert _standing(moved, ALICE) is Standing.BAD_SIGNATURE


def test_every_truncated_envelope_is_refused() -> None:
    whole = ENVELOPE.dump().rstrip(b"\n")
    for length in range(len(whole)):
        with pytest.raises(TeekitError, match=r"^file: is not JSON"):
            dsse.parse(whole[:length], "file")


def _changed(**changes: object) -> bytes:
    fields = json.loads(ENVELOPE.dump()) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


SIG = base64.b64encode(ENVELOPE.signatures[0].value).decode()
HOSTILE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is not JSON"),
    "list": (b"[]", "is not a DSSE envelope: expected an object"),
    "other": (b'{"schema": "x"}', r"is not a DSSE envelope: unknown field 'schema'"),
    "deep": (b'{"payload": ' + b"[" * 100_000, "too many values"),
    "nested": (b"[" * 900 + b"]" * 900, "nested too deeply, over 200 levels"),
    "wide": (b"[" + b"0," * 100_000 + b"0]", "too many values"),
    "binary": (b"\xff\xfe", "is not JSON"),
    "twice": (b'{"payload": "", "payload": ""}', "the key 'payload' occurs twice"),
    "unsigned": (_changed(signatures=[]), "signatures: expected a list with at least one, found none"),
    "no signatures": (_changed(signatures=None), "signatures: expected a list with at least one, found none"),
    "odd signatures": (_changed(signatures="x"), "signatures: expected a list with at least one, found none"),
    "many": (_changed(signatures=[{"sig": SIG}] * 17), "signatures: expected at most 16, found 17"),
    "text signature": (_changed(signatures=[SIG]), r"signatures\[0\]: is not a DSSE envelope: expected an object"),
    "cert": (_changed(signatures=[{"sig": SIG, "cert": ""}]), r"signatures\[0\]: .*unknown field 'cert'"),
    "no sig": (_changed(signatures=[{"keyid": ""}]), r"signatures\[0\]\.sig: expected 1 to 512 bytes, found 0"),
    "long sig": (_changed(signatures=[{"sig": "AAAA" * 200}]), "expected 1 to 512 bytes, found 600"),
    "number": (_changed(payload=5), "payload: expected text"),
    "surrogate": (_changed(payloadType="\ud800"), "payloadType: is not Unicode text"),
    "unpadded": (_changed(payload="QQ"), "payload: is not Base64"),
    "over-padded": (_changed(payload="QUFB===="), "payload: is not Base64"),
    "line break": (_changed(payload="QUFB\nQUFB"), "payload: is not Base64"),
    "space": (_changed(payload=" QUFB"), "payload: is not Base64"),
    "both alphabets": (_changed(payload="-_+/"), "payload: is not Base64"),
    "other spelling": (_changed(payload="QR=="), "payload: is not Base64 as RFC 4648 spells it"),
    "foreign": (_changed(payload="QUFBé==="), "payload: is not Base64"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_envelopes_are_refused(name: str) -> None:
    data, message = HOSTILE[name]
    with pytest.raises(TeekitError, match=message):
        dsse.parse(data, "file")
