"""From the report directory of a rebuild to what a statement is made of. What report.json says must fit the files beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.create import Rebuilt, require_attestable
from teekit_verify.appraisal.statements.statement import ReferenceNamed
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.documents import codec, fields, model
from teekit_verify.documents.inputs import inputs_digest
from teekit_verify.documents.rebuilt_packages import RebuiltInputs  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.rebuild.repositories import MOST as MOST_REPOSITORIES
from teekit_verify.record.directory import load_reproduced
from teekit_verify.record.publishable import RecordedOrigin  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.record.read import is_v1
from teekit_verify.record.schema_names import REBUILD_SCHEMA, REBUILD_SCHEMA_V1

if TYPE_CHECKING:
    from pathlib import Path

_SOME = ConfigDict(extra="ignore", strict=True)
_HINT = "Run the rebuild again."


@dataclass(frozen=True, slots=True)
class _Inputs:
    __pydantic_config__: ClassVar = _SOME
    sha256_a: fields.Sha256
    sha256_b: fields.Sha256
    sha256_reference: fields.Sha256 | None


@dataclass(frozen=True, slots=True)
class _Reference:
    __pydantic_config__: ClassVar = _SOME
    release: fields.Name
    commit: fields.Commit | None
    sha256: fields.Sha256


@dataclass(frozen=True, slots=True)
class _Check:
    __pydantic_config__: ClassVar = _SOME
    outcome: fields.Text


@dataclass(frozen=True, slots=True)
class _Checklist:
    __pydantic_config__: ClassVar = _SOME
    checks: Annotated[tuple[_Check, ...], Field(max_length=fields.MAX_ITEMS)]


@dataclass(frozen=True, slots=True)
class _Repository:
    __pydantic_config__: ClassVar = _SOME
    address: fields.Text


@dataclass(frozen=True, slots=True)
class _Network:
    __pydantic_config__: ClassVar = _SOME


@dataclass(frozen=True, slots=True)
class _Report:
    """The fields of report.json that a statement repeats or that must agree with it."""

    __pydantic_config__: ClassVar = _SOME
    schema: Literal["teekit-verify/report/v1", "teekit-verify/report/v2"]
    verdict: Verdict
    reasons: Annotated[tuple[fields.Text, ...], Field(max_length=1000)]
    tool_version: fields.Name
    reference: _Reference | None = None
    inputs: _Inputs | None = None
    measurements: model.Measurements | None = None
    checklist: _Checklist | None = None
    origin: RecordedOrigin | None = None
    rebuilt_packages: RebuiltInputs | None = None
    repositories: Annotated[tuple[_Repository, ...], Field(max_length=MOST_REPOSITORIES)] = ()
    network: _Network | None = None


def load_rebuilt(directory: Path) -> Rebuilt:
    """Raises TeekitError for a report that cannot be attested, or whose parts do not belong together."""
    path = directory / "report.json"
    data = codec.read_bounded(path)
    schema = REBUILD_SCHEMA_V1 if is_v1(data, str(path)) else REBUILD_SCHEMA
    report = codec.parse(_Report, schema, data, str(path))
    require_attestable(report.verdict, str(directory))
    if report.origin is not None:
        report.origin.require_unchanged(str(directory))
    if report.repositories:  # a statement has no word for whom else it trusts
        raise TeekitError(
            f"{path}: packages are from {printable(report.repositories[0].address)}, and a statement cannot say whose key that relies on",
            hint="Publish the report itself.",
        )
    if report.network is not None:
        raise TeekitError(
            f"{path}: scripts fetched from the network, and a statement cannot say what",
            hint="Publish the report itself.",
        )
    build, measurements = load_reproduced(directory)
    digest = inputs_digest(build.inputs)
    if report.inputs is None or {report.inputs.sha256_a, report.inputs.sha256_b} != {digest}:
        raise TeekitError(f"{directory}: inputs.json is not what the report is about", hint=_HINT)
    if report.measurements != measurements:
        raise TeekitError(f"{directory}: measurements.json is not what the report is about", hint=_HINT)
    if not _verdict_fits(report, report.inputs):
        raise TeekitError(f"{path}: the verdict {report.verdict.value} does not follow from its checks", hint=_HINT)
    used = report.reference
    reference = None if used is None else ReferenceNamed(used.release, used.commit, used.sha256)
    packages = None if report.rebuilt_packages is None else report.rebuilt_packages.counts
    if packages is not None and packages.total != len(
        {(item.name, item.version, item.architecture, item.sha256) for item in build.inputs.packages}
    ):
        raise TeekitError(f"{path}: counts other packages than inputs.json has", hint=_HINT)
    return Rebuilt(report.verdict, report.reasons, report.tool_version, build, measurements, reference, packages)


def _verdict_fits(report: _Report, inputs: _Inputs) -> bool:
    """The verdict again, from the checks: a report that was edited, or cut, is not signed for."""
    if report.verdict is Verdict.UNREFERENCED:
        return report.reference is None and report.checklist is None
    if report.reference is None or report.checklist is None or inputs.sha256_reference != inputs.sha256_a:
        return False
    outcomes = {check.outcome for check in report.checklist.checks}
    if report.verdict is Verdict.REPRODUCED:
        return "match" in outcomes and outcomes <= {"match", "open"} and not report.reasons
    return "mismatch" in outcomes
