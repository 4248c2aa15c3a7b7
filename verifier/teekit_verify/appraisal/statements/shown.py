"""What a statement says, to be looked at: whether it counts is for `threshold` to say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.statement import read_file, verdict_of
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import codec
from teekit_verify.reference.signing import dsse
from teekit_verify.reference.signing.dsse import Standing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from teekit_verify.appraisal.statements.statement import Statement
    from teekit_verify.core.files import OpenedInput
    from teekit_verify.reference.signing.keys import TrustedKey

_MARK = re.compile(rb'\s*\{\s*"(payloadType|payload|signatures|mediaType|dsseEnvelope|verificationMaterial)"\s*:')


@dataclass(frozen=True, slots=True)
class ShownStatement:
    """`standing` is that of its worst signature, None where no trusted keys were given; `owner` is whose key made them.

    `envelopes` is how many there are: with two, the first has the provenance.
    """

    name: str
    size_bytes: int
    sha256: Digest
    envelopes: int
    standing: Standing | None
    owner: str
    statement: Statement

    @property
    def status(self) -> ExitStatus:
        """DOES_NOT_HOLD where keys were given, and none of them vouches for it."""
        good = self.standing in {None, Standing.GOOD}
        return ExitStatus.HOLDS if good else ExitStatus.DOES_NOT_HOLD


def read_shown(
    name: str, where: str, data: bytes, trusted: Sequence[TrustedKey] | None = None, on: date | None = None
) -> ShownStatement:
    """The statement in the bytes of a file. `trusted` goes with `on`. Raises TeekitError for what is no statement."""
    envelopes = read_file(data, where)
    standing, owner = (None, "") if trusted is None or on is None else _standing(envelopes, trusted, on)
    digest = Digest.of(Algorithm.SHA256, data)
    return ShownStatement(name, len(data), digest, len(envelopes), standing, owner, verdict_of(envelopes, where))


def _standing(envelopes: tuple[dsse.Envelope, ...], trusted: Sequence[TrustedKey], on: date) -> tuple[Standing, str]:
    judged = [dsse.judge(envelope, envelope.signatures[0], trusted, on) for envelope in envelopes]
    worst = next((item for item in judged if item.standing is not Standing.GOOD), judged[0])
    if worst.standing is Standing.GOOD and len({item.key.id for item in judged if item.key}) > 1:
        return Standing.BAD_SIGNATURE, ""  # one auditor signs the whole file
    return worst.standing, worst.key.owner if worst.key else ""


def is_statement(file: OpenedInput) -> bool:
    """Whether a file has an auditor's verdict in its envelopes; it is read whole only if it begins like one."""
    if _MARK.match(file.head) is None or file.size_bytes > codec.MAX_DOCUMENT_BYTES:
        return False
    try:
        inspect_statement(file)
    except TeekitError:
        return False
    return True


def inspect_statement(file: OpenedInput) -> ShownStatement:
    """Without keys. Raises TeekitError for what is no statement."""
    return read_shown(file.name, str(file.path), file.whole(codec.MAX_DOCUMENT_BYTES, codec.WHAT))
