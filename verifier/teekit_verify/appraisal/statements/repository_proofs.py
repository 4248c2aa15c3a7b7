"""Proofs of a transparency log in a repository of statements.

Rules. Each must be good for a statement beside it, of the name that the proof has; a link is not opened, and so is not good.
Non-rules: whether every statement has one (`repository` asks where that is required).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.logged import ProofFile, find_logged, proof_names, submitters
from teekit_verify.core.files import read_beginning
from teekit_verify.documents import codec
from teekit_verify.reference.signing.log import LogFinding, LogStanding
from teekit_verify.reference.signing.log_proof import MAX_PROOF_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from teekit_verify.reference.signing.keys import TrustedKey
    from teekit_verify.reference.signing.log_policy import LogPolicy


@dataclass(frozen=True, slots=True)
class CheckedProofs:
    """By paths in the repository. `of_statements`: what was found about each; `bad`: proofs that are good for none, None without a statement."""

    of_statements: Mapping[str, LogFinding]
    bad: Mapping[str, LogFinding | None]


def check_proofs(
    folder: Path,
    statements: Sequence[tuple[str, str]],
    proofs: Sequence[str],
    keys: Sequence[TrustedKey],
    policy: LogPolicy,
) -> CheckedProofs:
    """`statements` are those in order, each with its auditor. Proofs that are links are not opened. Raises TeekitError for what cannot be read."""
    of_proof = _by_proof(statements)
    found: dict[str, LogFinding] = {file: LogFinding(LogStanding.NO_PROOF) for file, _ in statements}
    bad: dict[str, LogFinding | None] = {}
    for proof in proofs:
        if (folder / proof).is_symlink():
            continue
        file = ProofFile(proof, read_beginning(folder / proof, MAX_PROOF_BYTES + 1))
        findings = {
            statement: find_logged(codec.read_bounded(folder / statement), [file], submitters(keys, auditor), policy)
            for statement, auditor in of_proof.get(proof, ())
        }
        if all(finding.standing is not LogStanding.LOGGED for finding in findings.values()):
            bad[proof] = next(iter(findings.values()), None)
        for statement, finding in findings.items():
            found[statement] = _better(found[statement], finding)
    return CheckedProofs(found, bad)


def _by_proof(statements: Sequence[tuple[str, str]]) -> Mapping[str, list[tuple[str, str]]]:
    """Which statements the proof at a path may be about: a statement may be there in two forms, with one proof by its auditor's name."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for file, auditor in statements:
        release, _, name = file.partition("/")
        for proof in proof_names(name):
            found[f"{release}/{proof}"].append((file, auditor))
    return found


def _better(known: LogFinding, found: LogFinding) -> LogFinding:
    return found if known.standing is LogStanding.NO_PROOF or found.standing is LogStanding.LOGGED else known
