"""Whether a message is in a transparency log that witnesses watch, from a Sigsum proof alone (sigsum-go, doc/sigsum-proof.md, "Verifying a proof").

Signed are: by the submitter, the message's checksum; by the log, its tree head, a checkpoint (C2SP, tlog-checkpoint); by each witness, that
checkpoint and a time (C2SP, tlog-cosignature, version 1). Key hashes are compared before a key is used, so nobody's key has two spellings.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from teekit_verify.reference.signing.log_policy import name_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from teekit_verify.reference.signing.log_policy import LogPolicy
    from teekit_verify.reference.signing.log_proof import LogProof

_LEAF, _NODE = b"\x00", b"\x01"
"""RFC 9162, section 2.1.1."""
_SIGNED_LEAF = b"sigsum.org/v1/tree-leaf\x00"


class LogStanding(Enum):
    """What a proof is worth to somebody with a policy. Only LOGGED counts."""

    LOGGED = "logged"
    NO_PROOF = "no_proof"
    UNREADABLE = "unreadable"
    UNKNOWN_LOG = "unknown_log"
    OTHER_SUBMITTER = "other_submitter"
    LEAF_SIGNATURE = "leaf_signature"
    TREE_HEAD_SIGNATURE = "tree_head_signature"
    NO_QUORUM = "no_quorum"
    NOT_INCLUDED = "not_included"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A witness of the policy that saw the tree head, and when it says it did (seconds since 1970)."""

    name: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class LogFinding:
    """`log` is the SHA-256 of the log's key (None without a readable proof); `witnesses` are those whose cosignatures are good.

    `detail` is what the reader of an unreadable proof said.
    """

    standing: LogStanding
    log: str | None = None
    size: int = 0
    index: int = 0
    witnesses: tuple[Witnessed, ...] = ()
    detail: str = ""


def verify_proof(proof: LogProof, message: bytes, submitters: Collection[bytes], policy: LogPolicy) -> LogFinding:
    """`message` is what was logged: of a file, its SHA-256 (32 bytes). `submitters` are the public keys (32 bytes) that may have submitted it."""
    checksum = sha256(message).digest()
    head = _checkpoint(proof)
    seen = _witnesses(proof, head, policy)
    witnesses = tuple(Witnessed(name_text(policy.witnesses[key][0]), time) for key, time in seen.items())
    standing = _standing(proof, checksum, submitters, head, policy)
    if standing is LogStanding.LOGGED and not policy.met(seen):
        standing = LogStanding.NO_QUORUM
    return LogFinding(standing, proof.log.hex(), proof.size, proof.index, witnesses)


def _standing(
    proof: LogProof, checksum: bytes, submitters: Collection[bytes], head: bytes, policy: LogPolicy
) -> LogStanding:
    """Of all but the quorum."""
    submitter = next((key for key in submitters if sha256(key).digest() == proof.submitter), None)
    log = policy.logs.get(proof.log)
    if log is None:
        return LogStanding.UNKNOWN_LOG
    if submitter is None:
        return LogStanding.OTHER_SUBMITTER
    if not _made(submitter, proof.leaf_signature, _SIGNED_LEAF + checksum):
        return LogStanding.LEAF_SIGNATURE
    if not _made(log, proof.tree_head_signature, head):
        return LogStanding.TREE_HEAD_SIGNATURE
    leaf = sha256(_LEAF + checksum + proof.leaf_signature + proof.submitter).digest()
    included = root_hash(leaf, proof.index, proof.size, proof.path) == proof.root_hash
    return LogStanding.LOGGED if included else LogStanding.NOT_INCLUDED


def _checkpoint(proof: LogProof) -> bytes:
    root = base64.b64encode(proof.root_hash).decode()
    return f"sigsum.org/v1/tree/{proof.log.hex()}\n{proof.size}\n{root}\n".encode()


def _witnesses(proof: LogProof, head: bytes, policy: LogPolicy) -> dict[bytes, int]:
    """By the hashes of their keys, when they saw the tree head. Who is not in the policy, or whose signature is bad, saw nothing."""
    seen: dict[bytes, int] = {}
    for item in proof.cosignatures:
        signed = f"cosignature/v1\ntime {item.timestamp}\n".encode() + head
        known = policy.witnesses.get(item.key_hash)
        if known is not None and _made(known[1], item.signature, signed):
            seen[item.key_hash] = item.timestamp
    return seen


def _made(key: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def root_hash(leaf: bytes, index: int, size: int, path: tuple[bytes, ...]) -> bytes | None:
    """The root of a tree of `size` leaves in which `leaf` (its hash) has this index and path. None where a path has another length.

    RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return None
    first, last, found = index, size - 1, leaf
    for node in path:
        if last == 0:
            return None
        if first & 1 or first == last:
            found = sha256(_NODE + node + found).digest()
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            found = sha256(_NODE + found + node).digest()
        first, last = first >> 1, last >> 1
    return found if last == 0 else None
