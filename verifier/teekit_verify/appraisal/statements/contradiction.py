"""What an auditor claims, and auditors who contradict themselves: two signed statements about one release that cannot both be true.

Rules. Both are signed by keys of one auditor, and state other artifacts, commits or inputs, or another verdict, about one release. One that
names no release must agree with every other. Nobody else can have made them, so they need no third opinion.
Non-rules: whether they were logged, and how old they are.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.documents.inputs import inputs_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from teekit_verify.appraisal.statements.statement import Statement
    from teekit_verify.core.digest import Digest
    from teekit_verify.documents.model import Build


@dataclass(frozen=True, slots=True)
class Claim:
    """What must be equal for two statements to agree: the artifacts (sorted by name), the source commit, the inputs."""

    artifacts: tuple[tuple[str, Digest], ...]
    commit: str | None
    inputs_sha256: Digest

    @classmethod
    def of(cls, statement: Statement) -> Claim:
        """What a statement claims."""
        artifacts = sorted((subject.name, subject.digest.sha256) for subject in statement.subject)
        return cls(tuple(artifacts), statement.predicate.commit, statement.predicate.inputs_sha256)

    @classmethod
    def of_build(cls, build: Build, commit: str | None) -> Claim:
        """What a statement about this build would claim."""
        artifacts = sorted((artifact.name, artifact.sha256) for artifact in build.artifacts)
        return cls(tuple(artifacts), commit, inputs_digest(build.inputs))


@dataclass(frozen=True, slots=True)
class Said:
    """One statement. `release` is empty where it was compared with none. `mismatch`: other artifacts than the published ones, it says."""

    file: str
    auditor: str
    release: str
    claim: Claim
    mismatch: bool

    @classmethod
    def of(cls, file: str, auditor: str, statement: Statement) -> Said:
        """What an auditor said in a file. UNREFERENCED and REPRODUCED agree, if their claims do."""
        predicate = statement.predicate
        release = predicate.reference.release if predicate.reference else ""
        return cls(file, auditor, release, Claim.of(statement), predicate.verdict is Verdict.MISMATCH)


@dataclass(frozen=True, slots=True)
class OwnContradiction:
    """An auditor said different things about one release (empty: about none that is named) in these files."""

    auditor: str
    release: str
    files: tuple[str, ...]


def own_contradictions(said: Iterable[Said]) -> tuple[OwnContradiction, ...]:
    """By auditor and release. A statement that names no release may be about any, so it must agree with each of its auditor's."""
    by_auditor: dict[str, list[Said]] = defaultdict(list)
    for item in said:
        by_auditor[item.auditor].append(item)
    return tuple(found for auditor, items in sorted(by_auditor.items()) for found in _of(auditor, items))


def _of(auditor: str, items: Sequence[Said]) -> Iterator[OwnContradiction]:
    by_release: dict[str, list[Said]] = defaultdict(list)
    for item in items:
        by_release[item.release].append(item)
    unnamed = by_release.pop("", [])
    for release, named in sorted(by_release.items()) or [("", [])]:
        about = [*named, *unnamed]
        if len({(item.claim, item.mismatch) for item in about}) > 1:
            yield OwnContradiction(auditor, release, tuple(item.file for item in about))
