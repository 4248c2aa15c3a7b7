"""DSSE, the Dead Simple Signing Envelope, version 1 (github.com/secure-systems-lab/dsse, protocol.md and envelope.md).

A signature covers the payload *and* its type, so that a signed statement can never pass for a signed reference file.
Signatures are checked before the payload is looked at. Key ids are hints that anybody can write: nothing rests on them.
"""

from __future__ import annotations

import base64
import binascii
import json
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.documents import codec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from teekit_verify.reference.signing.keys import SigningKey, TrustedKey

MAX_SIGNATURES = 16
MAX_SIGNATURE_BYTES = 512
"""Of an RSA key with 4096 bits."""
MAX_SEPARATORS = 1000
"""An envelope has some 80 brackets and commas."""


@frozen
class Signature:
    """`key_id` is what the envelope says, not what was found; empty if it says nothing."""

    key_id: str
    value: bytes


@frozen
class Envelope:
    """A payload and who signed it; that the signatures are good is for `judge` to say."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def signed_bytes(self) -> bytes:
        """What a signature in here is over."""
        return pre_authentication_encoding(self.payload_type, self.payload)

    def dump(self) -> bytes:
        """One line of JSON that depends on the values alone."""
        fields = {
            "payloadType": self.payload_type,
            "payload": _encode(self.payload),
            "signatures": [
                ({"keyid": item.key_id} if item.key_id else {}) | {"sig": _encode(item.value)}
                for item in self.signatures
            ],
        }
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class Standing(Enum):
    """What a signature is worth to somebody who trusts certain keys. Only GOOD counts."""

    GOOD = "good"
    EXPIRED = "expired"
    BAD_SIGNATURE = "bad signature"
    NO_KEY = "no key"


@frozen
class Judgement:
    """`key` is the one that made the signature (GOOD, EXPIRED), or the one it claims to be of (BAD_SIGNATURE)."""

    standing: Standing
    key: TrustedKey | None = None


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """PAE of protocol.md: lengths in bytes make the encoding unambiguous."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload_type: str, payload: bytes, key: SigningKey, *, named: bool = True) -> Envelope:
    """An envelope with one signature. The same key and payload give the same bytes.

    `named`: with the key's id. Other verifiers have ids of their own for the same key, and some pass over signatures with another.
    """
    signature = key.sign(pre_authentication_encoding(payload_type, payload))
    return Envelope(payload_type, payload, (Signature(key.id if named else "", signature),))


def judge(envelope: Envelope, signature: Signature, trusted: Sequence[TrustedKey], on: date) -> Judgement:
    """Every trusted key is tried, whatever the key id says; that only tells a broken signature from a stranger's."""
    signed = envelope.signed_bytes
    for key in trusted:
        if key.made(signature.value, signed):
            return Judgement(Standing.EXPIRED if key.expired(on) else Standing.GOOD, key)
    claimed = next((key for key in trusted if key.id == signature.key_id), None)
    return Judgement(Standing.NO_KEY) if claimed is None else Judgement(Standing.BAD_SIGNATURE, claimed)


def parse(data: bytes, where: str) -> Envelope:
    """An envelope with at least one signature. `where` names the file (and line) in errors. Raises TeekitError."""
    return from_plain(bounded_plain(data, where, MAX_SEPARATORS), where)


def bounded_plain(data: bytes, where: str, most_separators: int) -> object:
    """The JSON value. Raises TeekitError, also for more commas and opening brackets than that: Base64 has none."""
    if data.count(b",") + data.count(b"[") + data.count(b"{") > most_separators:
        raise TeekitError(f"{where}: is not a DSSE envelope: it has too many values")
    return codec.plain_json(data, where)


def from_plain(value: object, where: str) -> Envelope:
    """The same for JSON that is parsed already. Raises TeekitError."""
    fields = _fields(value, {"payload", "payloadType", "signatures"}, where)
    listed = fields.get("signatures")
    if not isinstance(listed, list) or not listed:
        raise TeekitError(f"{where}: signatures: expected a list with at least one, found none")
    if len(listed) > MAX_SIGNATURES:
        raise TeekitError(f"{where}: signatures: expected at most {MAX_SIGNATURES}, found {len(listed)}")
    return Envelope(
        _text(fields, "payloadType", where),
        _decode(_text(fields, "payload", where), f"{where}: payload"),
        tuple(_signature(item, f"{where}: signatures[{number}]") for number, item in enumerate(listed)),
    )


def _signature(item: object, where: str) -> Signature:
    fields = _fields(item, {"keyid", "sig"}, where)
    value = _decode(_text(fields, "sig", where), f"{where}.sig")
    if not 0 < len(value) <= MAX_SIGNATURE_BYTES:
        raise TeekitError(f"{where}.sig: expected 1 to {MAX_SIGNATURE_BYTES} bytes, found {len(value)}")
    return Signature(_text(fields, "keyid", where), value)


def _fields(value: object, known: set[str], where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TeekitError(f"{where}: is not a DSSE envelope: expected an object")
    unknown = sorted(value.keys() - known)
    if unknown:
        raise TeekitError(f"{where}: is not a DSSE envelope: unknown field '{printable(unknown[0][:80])}'")
    return value


def _text(fields: dict[str, object], name: str, where: str) -> str:
    """envelope.md: empty fields may be omitted."""
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise TeekitError(f"{where}: {name}: expected text")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise TeekitError(f"{where}: {name}: is not Unicode text: it has a lone surrogate")
    return value


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str, where: str) -> bytes:
    """RFC 4648, either alphabet (protocol.md), but not both at once, padded, and with one spelling for the same bytes."""
    standard = text
    if "+" not in text and "/" not in text:
        standard = text.replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(standard, validate=True)
    except (ValueError, binascii.Error) as error:
        raise TeekitError(f"{where}: is not Base64") from error
    if _encode(data) != standard:
        raise TeekitError(f"{where}: is not Base64 as RFC 4648 spells it")
    return data
