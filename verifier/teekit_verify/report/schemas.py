"""The JSON schemas of what commands print with `--json`, and of the documents they write, made from their values.

`python -m teekit_verify.report.schemas reference/schema` writes the committed copies again. Those of reference files, releases and
report.json are made beside their models. Fields may be added to what a command prints; none is removed or changes its meaning
without a new version.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from teekit_verify.appraisal.checklist import Checklist  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.appraisal.facts import Check  # noqa: TC001
from teekit_verify.appraisal.guest.quote import Unchecked  # noqa: TC001
from teekit_verify.appraisal.publications import PublicationDiff
from teekit_verify.core.files import write_whole
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.documents.model import INPUTS_SCHEMA, MEASUREMENTS_SCHEMA, InputsDocument, Measurements
from teekit_verify.documents.rebuilderd_job import JOB_SCHEMA, Job
from teekit_verify.documents.schema import as_text, document_schema
from teekit_verify.explanation.tree import Explanation
from teekit_verify.rebuild.lock import SCHEMA as LOCK_SCHEMA
from teekit_verify.rebuild.lock import PackageLock
from teekit_verify.rebuild.network.recording import SCHEMA as RECORDING_SCHEMA
from teekit_verify.rebuild.network.recording import Recording
from teekit_verify.record.comparison import ReferenceUsed  # noqa: TC001
from teekit_verify.record.schema_names import COMPARISON_SCHEMA
from teekit_verify.report import (
    explain_report,
    file_schemas,
    guest_report,
    lock_schemas,
    log_schemas,
    machine_schemas,
    packages_report,
    presented_report,
    publications_report,
    publishing_schemas,
    quote_report,
)
from teekit_verify.report.guest_steps import Step  # noqa: TC001


@dataclass(frozen=True, slots=True)
class _Answered:
    holds: bool
    answer: Literal["yes", "no", "open"]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class _Quote:
    """What `quote --json` prints."""

    version: int
    attestation_key: str
    fields: dict[str, str]
    authentic: _Answered
    acceptable: _Answered
    not_checked: tuple[str, ...]
    allowed_unchecked: tuple[Unchecked, ...]
    unsettled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _QuoteInside(_Quote):
    """The same inside of another document, where it has its own heading."""

    schema: Literal["teekit-verify/quote/v1"]
    exit_status: Literal[0, 1, 2]


@dataclass(frozen=True, slots=True)
class _App:
    app: str
    sha256: str


@dataclass(frozen=True, slots=True)
class _Runs:
    apps: tuple[_App, ...]
    hostnames: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class _Step:
    step: Step
    outcome: Outcome
    checks: tuple[Check, ...]
    passed_over: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class _Guest:
    """What `guest --json` prints."""

    url: str
    nonce: str
    tls_key_sha256: str | None
    certificate_problem: str | None
    open_registers: int
    reference: ReferenceUsed
    platform: str | None
    steps: tuple[_Step, ...]
    runs: _Runs | None
    quote: _QuoteInside | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Presented:
    """What `compare --quote --json` prints."""

    open_registers: int
    reference: ReferenceUsed
    platform: str | None
    runs: _Runs | None
    quote: _QuoteInside
    checklist: Checklist
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Conclusion:
    status: Literal[0, 1, 2]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Comparison:
    """What `compare --json` prints for a file, or for claims."""

    open_registers: int
    reference: ReferenceUsed
    measurements: Measurements
    checklist: Checklist
    conclusion: _Conclusion
    tool_version: str
    claimed: bool


@dataclass(frozen=True, slots=True)
class _Error:
    code: str
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class _Failure:
    """What any command prints with `--json` when it reaches no verdict: docs/errors.md."""

    error: _Error


_PRINTED: dict[str, tuple[type, str]] = {
    "quote-v1": (_Quote, quote_report.SCHEMA),
    "presented-v1": (_Presented, presented_report.SCHEMA),
    "guest-v1": (_Guest, guest_report.SCHEMA),
    "comparison-v1": (_Comparison, COMPARISON_SCHEMA),
    "release-diff-v1": (PublicationDiff, publications_report.SCHEMA),
    "explanation-v1": (Explanation, explain_report.EXPLANATION_SCHEMA),
    **lock_schemas.PRINTED,
    **log_schemas.WITH_HEADING,
    **machine_schemas.WITH_HEADING,
    **packages_report.WITH_HEADING,
    **publishing_schemas.WITH_HEADING,
}
_DOCUMENTS: dict[str, tuple[Any, str]] = {
    "measurements-v1": (Measurements, MEASUREMENTS_SCHEMA),
    "inputs-v1": (InputsDocument, INPUTS_SCHEMA),
    "package-lock-v1": (PackageLock, LOCK_SCHEMA),
    "network-recording-v1": (Recording, RECORDING_SCHEMA),
    "rebuilderd-job-v1": (Job, JOB_SCHEMA),
    **file_schemas.WHOLE,
    **log_schemas.WHOLE,
    **machine_schemas.WHOLE,
}


def schemas() -> dict[str, dict[str, Any]]:
    """By the name of the committed file."""
    printed = {name: _with_heading(_schema(kind, name), schema) for name, (kind, schema) in _PRINTED.items()}
    documents = {name: _schema(kind, name) for name, (kind, _) in _DOCUMENTS.items()}
    made = printed | documents | {"error-v1": _schema(_Failure, "error-v1")}
    return {f"{name}.schema.json": schema for name, schema in sorted(made.items())}


def _schema(kind: Any, name: str) -> dict[str, Any]:
    schema = document_schema(kind, f"{name}.schema.json")
    for item in (schema, *schema.get("$defs", {}).values()):
        item.pop("description", None)  # those are for readers of the code
    check = schema.get("$defs", {}).get("Check")
    if check is not None:
        check["properties"] = {name: {"type": "string"} for name in ("name", "detail")} | check["properties"]
    difference = schema.get("$defs", {}).get("EventDifference")
    if difference is not None:
        difference["properties"]["meaning"] = {"default": "", "type": "string"}
    return schema


def _with_heading(schema: dict[str, Any], name: str) -> dict[str, Any]:
    heading = {
        "schema": {"const": name, "type": "string"},
        "exit_status": {"enum": [int(status) for status in ExitStatus], "type": "integer"},
    }
    return {**schema, "properties": heading | schema["properties"], "required": [*heading, *schema["required"]]}


def write(folder: Path) -> None:
    for name, schema in schemas().items():
        write_whole(folder / name, as_text(schema).encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
