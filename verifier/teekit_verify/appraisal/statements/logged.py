"""Whether a statement is in a transparency log that its auditor, and everybody else, can watch.

Rules. What is logged is the file of the statement, byte for byte, by an Ed25519 key of its auditor's: so whoever watches the log for that key
sees every statement that it made, also those that its owner knows nothing of. One good proof is enough; the log and its witnesses are those of
the reader's policy.
Non-rules: when it was logged, and what the statement says.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from teekit_verify.appraisal.statements.export import BUNDLE
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import read_beginning
from teekit_verify.reference.signing.log import LogFinding, LogStanding, verify_proof
from teekit_verify.reference.signing.log_proof import MAX_PROOF_BYTES, parse_proof

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from teekit_verify.reference.signing.keys import TrustedKey
    from teekit_verify.reference.signing.log_policy import LogPolicy

SUFFIXES = (".intoto.jsonl", BUNDLE)
"""Of statements. What ends in PROVENANCE_BUNDLE has no vote."""
PROOF = ".sigsum-proof"


@dataclass(frozen=True, slots=True)
class ProofFile:
    """A proof that may be a statement's, by its name; `where` names it in errors."""

    where: str
    data: bytes


def proof_names(statement: str) -> tuple[str, ...]:
    """What a proof for a statement of this file name is called: by the whole name, or by its auditor's."""
    auditor = next((statement.removesuffix(suffix) for suffix in SUFFIXES if statement.endswith(suffix)), statement)
    return tuple(dict.fromkeys((f"{statement}{PROOF}", f"{auditor}{PROOF}")))


def proofs_beside(statement: Path, folder: Path | None = None) -> Iterator[ProofFile]:
    """The proofs that may be a statement's, in its own folder or another. Links are not followed: a message has some of what is in a proof."""
    for name in proof_names(statement.name):
        place = (folder or statement.parent) / name
        if place.is_file() and not place.is_symlink():
            yield ProofFile(str(place), read_beginning(place, MAX_PROOF_BYTES + 1))


def submitters(keys: Iterable[TrustedKey], owner: str) -> tuple[bytes, ...]:
    """The owner's keys that can submit to a Sigsum log: Ed25519, 32 bytes each."""
    return tuple(
        key.public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        for key in keys
        if key.owner == owner and isinstance(key.public, Ed25519PublicKey)
    )


def find_logged(
    statement: bytes, proofs: Iterable[ProofFile], submitted_by: Collection[bytes], policy: LogPolicy
) -> LogFinding:
    """The first good proof; else why the first proof is none."""
    message = sha256(statement).digest()
    failed: LogFinding | None = None
    for proof in proofs:
        found = _of(proof, message, submitted_by, policy)
        if found.standing is LogStanding.LOGGED:
            return found
        failed = failed or found
    return failed or LogFinding(LogStanding.NO_PROOF)


def _of(proof: ProofFile, message: bytes, submitted_by: Collection[bytes], policy: LogPolicy) -> LogFinding:
    try:
        return verify_proof(parse_proof(proof.data, proof.where), message, submitted_by, policy)
    except TeekitError as error:
        return LogFinding(LogStanding.UNREADABLE, detail=error.message)
