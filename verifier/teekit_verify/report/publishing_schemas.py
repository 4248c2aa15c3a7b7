"""What the commands about references, releases, signatures and statements print with `--json`, as values that their schemas are made of.

A field with a default is left out where there is nothing to say.
"""

from __future__ import annotations

from dataclasses import dataclass

from teekit_verify.appraisal.statements.repository import CheckedRepository
from teekit_verify.appraisal.statements.watched import Alarm
from teekit_verify.reference.signing.dsse import Standing  # noqa: TC001
from teekit_verify.report import (
    alarm_report,
    attest_report,
    audit_report,
    reference_report,
    release_report,
    repository_report,
    signature_report,
    statement_report,
)
from teekit_verify.report.schema_values import Sha256  # noqa: TC001


@dataclass(frozen=True, slots=True)
class _ListedFile:
    file: str
    problem: str
    format: str
    release: str
    image: str
    commit: str | None
    sha256: Sha256 | None
    has_signature_file: bool


@dataclass(frozen=True, slots=True)
class _ReferenceList:
    directory: str
    files: tuple[_ListedFile, ...]


@dataclass(frozen=True, slots=True)
class _Signature:
    standing: Standing
    owner: str | None
    key_id: str | None


@dataclass(frozen=True, slots=True)
class _SignatureCheck:
    file: str
    problem: str
    signatures: tuple[_Signature, ...]


WITH_HEADING: dict[str, tuple[type, str]] = {
    "alarm-v1": (Alarm, alarm_report.SCHEMA),
    "audited-v1": (audit_report.Report, audit_report.SCHEMA),
    "reference-list-v1": (_ReferenceList, reference_report.LIST_SCHEMA),
    "release-list-v1": (release_report.Report, release_report.SCHEMA),
    "signature-check-v1": (_SignatureCheck, signature_report.SCHEMA),
    "statement-v1": (statement_report.Report, statement_report.SCHEMA),
    "statements-v1": (statement_report.Reports, statement_report.ALL_SCHEMA),
    "statements-check-v1": (CheckedRepository, repository_report.SCHEMA),
    "threshold-v1": (attest_report.Report, attest_report.SCHEMA),
}
"""By the name of the committed file: what follows `schema` and `exit_status`."""
