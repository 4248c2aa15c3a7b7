"""Detached signatures of reference files: FILE.sig is a DSSE envelope around the very bytes of FILE."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import codec, load
from teekit_verify.reference.signing import dsse
from teekit_verify.reference.signing.dsse import Judgement, Standing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from teekit_verify.reference.signing.keys import SigningKey, TrustedKey

PAYLOAD_TYPE = "application/vnd.teekit-verify.reference+json"


def sign_reference(data: bytes, key: SigningKey, where: str, earlier: dsse.Envelope | None = None) -> bytes:
    """The bytes of FILE.sig. Signatures of others in `earlier` stay, if they are about the same bytes.

    Raises TeekitError for bytes that are no reference file, so that nothing else is signed as one.
    """
    load.parse_reference(data, where)
    envelope = dsse.sign(PAYLOAD_TYPE, data, key)
    if earlier is not None and (earlier.payload_type, earlier.payload) == (PAYLOAD_TYPE, data):
        others = tuple(item for item in earlier.signatures if item.key_id != key.id)
        envelope = replace(envelope, signatures=(*others, *envelope.signatures))
    if len(envelope.signatures) > dsse.MAX_SIGNATURES:
        raise TeekitError(f"{where}: has {dsse.MAX_SIGNATURES} signatures already")
    signed = envelope.dump()
    if len(signed) > codec.MAX_DOCUMENT_BYTES:
        raise TeekitError(f"{where}: is too large to be signed: at most 6 MiB")
    return signed


@frozen
class Verification:
    """`problem` is why the signatures are not about this file at all, else empty; `judgements` are then theirs, in order."""

    problem: str
    judgements: tuple[Judgement, ...] = ()

    @property
    def status(self) -> ExitStatus:
        """HOLDS if at least one trusted key signed exactly these bytes."""
        good = any(judgement.standing is Standing.GOOD for judgement in self.judgements)
        return ExitStatus.HOLDS if good and not self.problem else ExitStatus.DOES_NOT_HOLD


def verify_reference(data: bytes, envelope: dsse.Envelope, trusted: Sequence[TrustedKey], on: date) -> Verification:
    """`data` are the bytes of FILE, `envelope` is FILE.sig, `on` the day the keys must be good for."""
    if envelope.payload_type != PAYLOAD_TYPE:
        found = printable(envelope.payload_type[:80])
        return Verification(f"not the signature of a reference file: its payload type is '{found}'")
    if envelope.payload != data:
        return Verification("the signature is about another file, or about other bytes of this one")
    return Verification("", tuple(dsse.judge(envelope, item, trusted, on) for item in envelope.signatures))
