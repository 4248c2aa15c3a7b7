"""Statements signed by a key that this program does not have: in hardware, or with a key management service.

A folder holds what is to be signed, PART.payload and PART.tbs (the very bytes that a signature is over), and takes what was signed:
PART.sig, the bytes of a signature, or PART.dsse.json, an envelope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from teekit_verify.appraisal.statements.statement import PAYLOAD_TYPE, verdict_of
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import read_bounded
from teekit_verify.documents import codec
from teekit_verify.reference.signing import dsse
from teekit_verify.reference.signing.dsse import Envelope, Signature

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.appraisal.statements.statement import Statement
    from teekit_verify.reference.signing.keys import TrustedKey

PAYLOAD, TO_BE_SIGNED, SIGNATURE, ENVELOPE = ".payload", ".tbs", ".sig", ".dsse.json"
PARTS = ("provenance", "verdict")
"""In the order of an auditor's file."""
_COORDINATE_BYTES = 32


def unsigned(auditor: str, payloads: tuple[bytes, bytes]) -> dict[str, bytes]:
    """The files of such a folder: name to content. `payloads` are those of PARTS."""
    files = {}
    for part, payload in zip(PARTS, payloads, strict=True):
        files[f"{auditor}.{part}{PAYLOAD}"] = payload
        files[f"{auditor}.{part}{TO_BE_SIGNED}"] = dsse.pre_authentication_encoding(PAYLOAD_TYPE, payload)
    return files


def assemble(folder: Path, key: TrustedKey) -> tuple[Statement, bytes]:
    """The verdict and the auditor's file, made of the folder; every signature is checked against the public key.

    A verdict without a provenance is whole. Raises TeekitError for a signature that is missing or not by this key, and for what is no statement.
    """
    auditor = _auditor(folder)
    envelopes = tuple(_signed(folder, auditor, key))
    statement = verdict_of(envelopes, str(folder))
    if statement.predicate.auditor != auditor:
        raise TeekitError(
            f"{folder}: {auditor}.verdict{PAYLOAD} names its auditor {statement.predicate.auditor}",
            hint="Name the files as they were.",
        )
    return statement, b"".join(envelope.dump() for envelope in envelopes)


def _auditor(folder: Path) -> str:
    ending = f".verdict{PAYLOAD}"
    try:
        names = sorted(path.name.removesuffix(ending) for path in folder.iterdir() if path.name.endswith(ending))
    except OSError as error:
        raise TeekitError(f"{folder}: cannot be read: {error.strerror}", hint="Name a readable folder.") from error
    if len(names) != 1:
        raise TeekitError(
            f"{folder}: expected one file NAME{ending}, found {len(names)}",
            hint="Name the folder that `attest create --statement-only` wrote.",
        )
    return names[0]


def _signed(folder: Path, auditor: str, key: TrustedKey) -> Iterator[Envelope]:
    for part in PARTS:
        payload = folder / f"{auditor}.{part}{PAYLOAD}"
        if part == "verdict" or payload.exists():
            yield _envelope(folder / f"{auditor}.{part}", codec.read_bounded(payload), key)


def _envelope(stem: Path, payload: bytes, key: TrustedKey) -> Envelope:
    """Without a key's id, as all new statements are."""
    signed = dsse.pre_authentication_encoding(PAYLOAD_TYPE, payload)
    for value in _values(stem, payload):
        for form in _forms(value, key):
            if key.made(form, signed):
                return Envelope(PAYLOAD_TYPE, payload, (Signature("", form),))
    raise TeekitError(
        f"{stem}{TO_BE_SIGNED}: its signature is not by the key {key.id}",
        hint="Sign it again, with the key of this public half.",
    )


def _values(stem: Path, payload: bytes) -> tuple[bytes, ...]:
    raw, envelope = (stem.with_name(stem.name + suffix) for suffix in (SIGNATURE, ENVELOPE))
    if raw.exists() == envelope.exists():
        raise TeekitError(
            f"{stem}: expected one of {raw.name} and {envelope.name}, found {'both' if raw.exists() else 'neither'}",
            hint=f"Sign {stem.name}{TO_BE_SIGNED}, and put the signature beside it.",
        )
    if raw.exists():
        return (read_bounded(raw, dsse.MAX_SIGNATURE_BYTES, "a signature"),)
    found = dsse.parse(codec.read_bounded(envelope), str(envelope))
    if (found.payload_type, found.payload) != (PAYLOAD_TYPE, payload):
        raise TeekitError(f"{envelope}: is not about {stem.name}{PAYLOAD}", hint="Sign the payload again.")
    return tuple(signature.value for signature in found.signatures)


def _forms(value: bytes, key: TrustedKey) -> Iterator[bytes]:
    """As it is; and DER of the two numbers that PKCS #11 gives for ECDSA (section 6.3.1), each of 32 bytes."""
    yield value
    if isinstance(key.public, EllipticCurvePublicKey) and len(value) == 2 * _COORDINATE_BYTES:
        r, s = value[:_COORDINATE_BYTES], value[_COORDINATE_BYTES:]
        yield encode_dss_signature(int.from_bytes(r), int.from_bytes(s))
