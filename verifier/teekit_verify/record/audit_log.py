"""The transparency log of an audit: whether a statement is in it, and Sigsum's own program that submits it.

What the submitter writes is a proof only if we find it good: else nothing is put beside the statement, and the next run submits again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.logged import PROOF, ProofFile, find_logged, proofs_beside, submitters
from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import read_beginning, write_whole
from teekit_verify.documents import codec
from teekit_verify.reference.signing.log import LogFinding, LogStanding
from teekit_verify.reference.signing.log_policy import LogPolicy, load_policy
from teekit_verify.reference.signing.log_proof import MAX_PROOF_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.appraisal.statements.own import Auditor

_SUBMIT = "sigsum-submit"
_WAIT_SECONDS = 300
"""Public logs make a new tree every few seconds, and collect cosignatures then."""
_KILL_SECONDS = _WAIT_SECONDS + 60


@dataclass(frozen=True, slots=True)
class AuditLog:
    """`file` names logs and witnesses, and `policy` is what it says. `required`: a statement that is in none is not done.

    `submit_key` is a key file of OpenSSH's (private, or public with an agent) that Sigsum's program submits with; None if others submit.
    """

    file: Path
    policy: LogPolicy
    required: bool = False
    submit_key: Path | None = None

    @classmethod
    def load(cls, file: Path, *, required: bool = False, submit_key: Path | None = None) -> AuditLog:
        """Raises TeekitError for a policy that cannot be read."""
        return cls(file, load_policy(file), required, submit_key)

    @property
    def must_have(self) -> bool:
        """Who submits wants it to be there."""
        return self.required or self.submit_key is not None


def look_up(log: AuditLog, auditor: Auditor, statement: Path, scratch: Path) -> tuple[LogFinding, TeekitError | None]:
    """What the log has of a statement, which is submitted if there is no proof beside it and a key to submit with; why that failed, if it did.

    A proof that is there is never replaced, good or bad. `scratch` is a folder for what the submitter writes.
    """
    data, keys = codec.read_bounded(statement), submitters(auditor.published_keys(), auditor.name)
    found = find_logged(data, proofs_beside(statement), keys, log.policy)
    if found.standing is not LogStanding.NO_PROOF or log.submit_key is None:
        return found, None
    proof = scratch / f"{statement.name}{PROOF}"
    try:
        made = _submitted(statement, proof, log, log.submit_key)
    except TeekitError as error:
        return found, error
    found = find_logged(data, [ProofFile(str(proof), made)], keys, log.policy)
    if found.standing is LogStanding.LOGGED:
        write_whole(statement.with_name(f"{statement.name}{PROOF}"), made)
        proof.unlink()
    return found, None


def _submitted(statement: Path, proof: Path, log: AuditLog, key: Path) -> bytes:
    """Raises TeekitError where the program is missing, the log does not answer, or too few witnesses saw its tree."""
    proof.unlink(missing_ok=True)
    program = process.find_program(_SUBMIT, hint="Install it (sigsum-go), or submit by other means.")
    argv = [program, "--diagnostics=warning", f"--timeout={_WAIT_SECONDS}s", "-k", str(key), "-p", str(log.file)]
    process.run([*argv, "-o", str(proof), str(statement)], timeout_seconds=_KILL_SECONDS)
    return read_beginning(proof, MAX_PROOF_BYTES + 1)
