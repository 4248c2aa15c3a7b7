"""What an auditor has in a repository of statements already: their key, and a statement of a release.

Rules. A statement is theirs if their key signed it under their name, about the release of its folder; nothing that is there is replaced. Of an
audit, one mismatch outweighs what is undecided, and nothing decided does not pass.
Non-rules: what others have there, and releases that were withdrawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.contradiction import Claim
from teekit_verify.appraisal.statements.logged import SUFFIXES
from teekit_verify.appraisal.statements.repository import ANY_DAY, AUDITOR, KEYS, RELEASE
from teekit_verify.appraisal.statements.shown import read_shown
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import held, require_no_link, write_whole
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents import codec
from teekit_verify.reference.signing.dsse import Standing
from teekit_verify.reference.signing.keys import TrustedKey, load_trusted_key, public_pem

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from teekit_verify.appraisal.statements.statement import Statement
    from teekit_verify.reference.signing.keys import SigningKey


class AuditOutcome(Enum):
    """What an audit says of a release.

    UNDECIDED: there is no verdict that could be signed, or not the one that was signed before, or it is in no log where it must be.
    """

    REPRODUCED = "reproduced"
    MISMATCH = "mismatch"
    UNDECIDED = "undecided"
    WITHDRAWN = "withdrawn"

    @classmethod
    def of(cls, verdict: Verdict) -> AuditOutcome:
        """Of a rebuild that was compared with the release."""
        return {Verdict.REPRODUCED: cls.REPRODUCED, Verdict.MISMATCH: cls.MISMATCH}.get(verdict, cls.UNDECIDED)


def status_of(outcomes: Iterable[AuditOutcome]) -> ExitStatus:
    """A mismatch outweighs what is undecided. Nothing decided is no pass; withdrawn releases play no part."""
    seen = set(outcomes)
    if AuditOutcome.MISMATCH in seen:
        return ExitStatus.DOES_NOT_HOLD
    if AuditOutcome.UNDECIDED in seen or AuditOutcome.REPRODUCED not in seen:
        return ExitStatus.NO_VERDICT
    return ExitStatus.HOLDS


@dataclass(frozen=True, slots=True)
class Auditor:
    """Who audits, and the repository that their statements go to."""

    repository: Path
    name: str
    key: SigningKey

    def __post_init__(self) -> None:
        if not AUDITOR.fullmatch(self.name):
            raise TeekitError(
                f"'{printable(self.name[:80])}' is not a name of an auditor",
                hint="Choose 1 to 64 letters, digits, '-' and '_'.",
            )

    @property
    def public(self) -> TrustedKey:
        return TrustedKey(self.name, self.key.private.public_key(), self.key.id)

    def published_keys(self) -> tuple[TrustedKey, ...]:
        """What the repository has under this name, of which one may be for a log alone. Raises TeekitError, also for a link."""
        return tuple(map(load_trusted_key, self._key_files()))

    def _key_files(self) -> list[Path]:
        folder = self.repository / KEYS
        require_no_link(folder)
        owned = sorted(path for path in folder.glob("*.pem") if path.name.split(".")[0] == self.name)
        for path in owned:
            require_no_link(path)
        return owned

    def folder(self, release: str) -> Path:
        """Where statements about a release go. Raises TeekitError for a name that no such folder can have, and for a link."""
        if release == KEYS or not RELEASE.fullmatch(release):
            raise TeekitError(f"'{printable(release[:80])}' cannot be the name of a folder of statements")
        folder = self.repository / release
        require_no_link(folder)
        return folder

    def statement_file(self, release: str) -> Path:
        return self.folder(release) / f"{self.name}{SUFFIXES[0]}"

    def publish_key(self) -> None:
        """Put the public key where the repository wants it, if it is not there. Raises TeekitError if another key has this name there."""
        folder = self.repository / KEYS
        require_no_link(folder)
        with held(folder, wait=True):  # several audits may begin at once
            owned = self._key_files()
            if not owned:
                write_whole(folder / f"{self.name}.pem", public_pem(self.public.public))
                return
        if all(load_trusted_key(path).id != self.key.id for path in owned):
            raise TeekitError(
                f"{owned[0]}: is not the public half of the key to sign with",
                hint="Name the right key, or ask those who keep the repository to add yours.",
            )

    def stated(self, release: str) -> tuple[Path, Statement] | None:
        """What this auditor has stated about a release; None if nothing.

        Raises TeekitError for a file of theirs that is unreadable, not signed by their key, or about something else, and for two that
        contradict each other: what stands there is not replaced.
        """
        found = [self._read(path, release) for path in self._files(release)]
        if len({(Claim.of(said), said.predicate.verdict) for _, said in found}) > 1:
            raise TeekitError(f"{found[0][0].parent}: has two statements of {self.name} that contradict each other")
        return found[0] if found else None

    def _files(self, release: str) -> list[Path]:
        places = [self.folder(release) / f"{self.name}{suffix}" for suffix in SUFFIXES]
        return [path for path in places if path.is_symlink() or path.exists()]

    def _read(self, path: Path, release: str) -> tuple[Path, Statement]:
        require_no_link(path)
        shown = read_shown(path.name, str(path), codec.read_bounded(path), (self.public,), ANY_DAY)
        said = shown.statement.predicate
        hint = "Find out who put it there: it is not replaced."
        if shown.standing is not Standing.GOOD or said.auditor != self.name:
            raise TeekitError(f"{path}: is not a statement that {self.name} signed with this key", hint=hint)
        if said.reference is not None and said.reference.release != release:
            raise TeekitError(f"{path}: is about the release '{said.reference.release}'", hint=hint)
        return path, shown.statement
