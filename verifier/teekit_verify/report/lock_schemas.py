"""What the commands about locks and inputs print with `--json`, as values that their schemas are made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.rebuild.attribution import Reason  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.rebuild.effect import Move  # noqa: TC001
from teekit_verify.rebuild.evidence import Doubt  # noqa: TC001
from teekit_verify.rebuild.image_files import Aspect  # noqa: TC001
from teekit_verify.rebuild.inputs_archive import Wrong  # noqa: TC001
from teekit_verify.rebuild.lock_diff import Alarm, Evidence, History  # noqa: TC001
from teekit_verify.report.lock_report import CHECK_SCHEMA, DIFF_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCKED_SCHEMA = "teekit-verify/locked/v1"
FETCHED_SCHEMA = "teekit-verify/fetched/v1"
CREATED_SCHEMA = "teekit-verify/inputs-created/v1"
CHECKED_SCHEMA = "teekit-verify/inputs-check/v1"
ENVIRONMENT_SCHEMA = "teekit-verify/environment/v1"
PRUNED_SCHEMA = "teekit-verify/inputs-pruned/v1"


@dataclass(frozen=True, slots=True)
class _Index:
    archive: str
    suite: str
    date: str | None
    signers: tuple[str, ...]
    has_expired_key: bool
    doubt: Doubt | None


@dataclass(frozen=True, slots=True)
class _PackageDoubt:
    name: str
    version: str
    architecture: str
    doubt: Doubt


@dataclass(frozen=True, slots=True)
class _LockCheck:
    listed: int
    npm: int
    indexes: tuple[_Index, ...]
    doubts: tuple[_PackageDoubt, ...]


@dataclass(frozen=True, slots=True)
class _RedFlag:
    alarm: Alarm
    package: str | None
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class _Package:
    version: str
    architecture: str
    archive: str
    sha256: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Change:
    name: str
    old: _Package | None
    new: _Package | None


@dataclass(frozen=True, slots=True)
class _Entry:
    version: str
    distribution: str
    cves: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class _Source:
    source: str
    source_known: bool
    history: History
    cves_named_in_changelogs: tuple[str, ...]
    entries: tuple[_Entry, ...]
    packages: tuple[_Change, ...]


@dataclass(frozen=True, slots=True)
class _Register:
    platform: str
    register: str
    move: Move
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    section: str
    path: str
    aspects: tuple[Aspect, ...]
    reason: Reason
    packages: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True)
class _Effect:
    image: str
    is_whole: bool
    environment_changed: bool
    source_files: tuple[str, ...]
    other_artifacts: tuple[str, ...]
    not_fetched: tuple[str, ...]
    registers: tuple[_Register, ...]
    parts: tuple[_Part, ...] | None


@dataclass(frozen=True, slots=True)
class _LockDiff:
    suites: tuple[str, str]
    snapshots: tuple[str, str]
    same: int
    evidence: Evidence
    red_flags: tuple[_RedFlag, ...]
    sources: tuple[_Source, ...]
    check: _LockCheck | None
    effect: _Effect | None


@dataclass(frozen=True, slots=True)
class _Locked:
    lock: str
    sha256: str
    packages: int


@dataclass(frozen=True, slots=True)
class _Fetched:
    packages: int
    size_bytes: int
    lock_sha256: str


@dataclass(frozen=True, slots=True)
class _InputsCreated:
    release: str
    manifest: str
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Problem:
    release: str
    title: str
    digest: str
    wrong: Wrong


@dataclass(frozen=True, slots=True)
class _InputsChecked:
    manifests: int
    files: int
    size_bytes: int
    problems: tuple[_Problem, ...]


@dataclass(frozen=True, slots=True)
class _InputsPruned:
    removed: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Environment:
    store_path: str
    nar_hash: str


PRINTED: dict[str, tuple[type, str]] = {
    "lock-diff-v1": (_LockDiff, DIFF_SCHEMA),
    "lock-check-v1": (_LockCheck, CHECK_SCHEMA),
    "locked-v1": (_Locked, LOCKED_SCHEMA),
    "fetched-v1": (_Fetched, FETCHED_SCHEMA),
    "inputs-created-v1": (_InputsCreated, CREATED_SCHEMA),
    "inputs-check-v1": (_InputsChecked, CHECKED_SCHEMA),
    "environment-v1": (_Environment, ENVIRONMENT_SCHEMA),
    "inputs-pruned-v1": (_InputsPruned, PRUNED_SCHEMA),
}
"""By the name of the committed file."""


def as_text(schema: str, content: Mapping[str, object], status: ExitStatus = ExitStatus.HOLDS) -> str:
    """A small document with its heading."""
    return json.dumps({"schema": schema, "exit_status": int(status), **content}, indent=2)
