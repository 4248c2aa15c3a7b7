"""Statements of auditors: made from one's own rebuild, and counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements import statement
from teekit_verify.appraisal.statements.create import signed_statement, source_commit
from teekit_verify.appraisal.statements.threshold import cast, tally
from teekit_verify.core.digest import digest_file
from teekit_verify.core.files import write_whole
from teekit_verify.documents.codec import read_bounded
from teekit_verify.record.attestable import load_rebuilt
from teekit_verify.reference.signing.keys import load_trusted_keys

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from teekit_verify.appraisal.rebuild.verdict import Verdict
    from teekit_verify.appraisal.statements.threshold import Tally
    from teekit_verify.reference.signing.keys import SigningKey


@dataclass(frozen=True, slots=True)
class WrittenStatement:
    """Where a statement was written, and the verdict that it states."""

    file: Path
    verdict: Verdict


def state(report: Path, key: SigningKey, name: str, folder: Path, *, commit: str | None = None) -> WrittenStatement:
    """Write `name`.intoto.jsonl, a signed statement of what a rebuild found (`report` is its folder).

    `commit` is the source's, where the report has none. Raises TeekitError for verdicts that cannot be stated, and for another commit.
    """
    rebuilt = load_rebuilt(report)
    data = signed_statement(rebuilt, name, source_commit(rebuilt, commit), key)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.intoto.jsonl"
    write_whole(file, data)
    return WrittenStatement(file, rebuilt.verdict)


def count_statements(
    files: Sequence[Path], threshold: int, trusted_keys: Path, on: date, *, artifact: Path | None = None
) -> Tally:
    """How many owners of trusted keys state the same; `status` is HOLDS if these are `threshold` or more.

    `trusted_keys`: a folder of OWNER.pem. `on`: the day on which keys must not have expired. `artifact`: a file that the statements must
    be about. Raises TeekitError for files that cannot be read.
    """
    trusted = load_trusted_keys(trusted_keys)
    wanted = (artifact.name, digest_file(artifact)) if artifact else None
    read = [(str(file), statement.read_file(read_bounded(file), str(file))) for file in files]
    return tally([cast(file, envelopes, trusted, on) for file, envelopes in read], threshold, wanted)
