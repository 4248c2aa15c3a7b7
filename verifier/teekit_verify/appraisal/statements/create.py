"""An auditor's statement, made from a finished rebuild (its form: `statement`).

Rules. Only a rebuild with a result can be attested, and what is signed is what the report has, read back as those who count it will. The
commit is the reference's, and a named one must be the same.
Non-rules: whether anybody should trust the auditor, and when it was: there is no time in it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from teekit_verify.appraisal.statements.statement import (
    ATTESTABLE,
    PAYLOAD_TYPE,
    PROVENANCE_TYPE,
    SCOPE,
    STATEMENT_TYPE,
    VERDICT_TYPE,
    Independence,
    Predicate,
    ReferenceNamed,
    Statement,
    Subject,
    SubjectDigest,
    read_verdict,
)
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents.inputs import in_order, inputs_digest
from teekit_verify.reference.signing import dsse

if TYPE_CHECKING:
    from teekit_verify.appraisal.rebuild.verdict import Verdict
    from teekit_verify.core.digest import Digest
    from teekit_verify.documents import model
    from teekit_verify.documents.rebuilt_packages import RebuiltCounts
    from teekit_verify.reference.signing.keys import SigningKey

BUILD_TYPE = "tag:teekit-verify,2026:mkosi-build/v1"
BUILDER_ID = "tag:teekit-verify,2026:local-builder/v1"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A finished rebuild in which A and B are identical: what a statement is made of."""

    verdict: Verdict
    reasons: tuple[str, ...]
    tool_version: str
    build: model.Build
    measurements: model.Measurements
    reference: ReferenceNamed | None
    packages: RebuiltCounts | None = None


def require_attestable(verdict: Verdict, where: str) -> None:
    """Raises TeekitError for a verdict that no statement can have; `where` names the report."""
    if verdict not in ATTESTABLE:
        raise TeekitError(
            f"{where}: a rebuild with the verdict {verdict.value} cannot be attested",
            hint="Rebuild until A and B are identical and made from the published inputs.",
        )


def source_commit(rebuilt: Rebuilt, named: str | None) -> str | None:
    """The commit that an auditor names, else the reference's. Raises TeekitError if they are not the same."""
    published = rebuilt.reference.commit if rebuilt.reference else None
    if named and published and named != published:
        raise TeekitError(
            f"--commit {named} is not the reference's {published}",
            hint="Leave --commit out, or use the right reference.",
        )
    return named or published


def signed_statement(
    rebuilt: Rebuilt, auditor: str, commit: str | None, key: SigningKey, independence: Independence | None = None
) -> bytes:
    """The auditor's file: the provenance and the verdict, each in a signed envelope. Deterministic bytes.

    `commit` is the source commit, None if it is not known; `independence` what the auditor says of it. Raises TeekitError for what `read_verdict` would refuse.
    """
    both = payloads(rebuilt, auditor, commit, independence)
    return b"".join(dsse.sign(PAYLOAD_TYPE, payload, key, named=False).dump() for payload in both)


def payloads(
    rebuilt: Rebuilt, auditor: str, commit: str | None, independence: Independence | None = None
) -> tuple[bytes, bytes]:
    """What is signed: the provenance, then the verdict. Raises TeekitError as `signed_statement` does."""
    statement = _statement(rebuilt, auditor, commit, independence)
    verdict = _dump(TypeAdapter[Any](Statement).dump_python(statement, mode="json", by_alias=True))
    read_verdict(verdict, "the new statement")
    return _dump(_provenance(rebuilt, commit)), verdict


def _dump(plain: object) -> bytes:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()


def _statement(rebuilt: Rebuilt, auditor: str, commit: str | None, independence: Independence | None) -> Statement:
    inputs = rebuilt.build.inputs
    return Statement(
        STATEMENT_TYPE,
        subjects(rebuilt.build.artifacts),
        VERDICT_TYPE,
        Predicate(
            auditor=auditor,
            tool_version=rebuilt.tool_version,
            verdict=rebuilt.verdict,
            reasons=rebuilt.reasons,
            scope=SCOPE,
            image=inputs.image,
            profiles=inputs.profiles,
            commit=commit,
            inputs_sha256=inputs_digest(inputs),
            environment=inputs.environment,
            reference=rebuilt.reference,
            registers={
                platform: {register: value.values for register, value in registers.items()}
                for platform, registers in rebuilt.measurements.platforms.items()
            },
            independence=independence,
            packages=rebuilt.packages,
        ),
    )


def subjects(artifacts: tuple[model.Artifact, ...]) -> tuple[Subject, ...]:
    """In the order of their names, so that the same artifacts give the same statement."""
    ordered = sorted(artifacts, key=lambda artifact: artifact.name)
    return tuple(Subject(artifact.name, SubjectDigest(artifact.sha256)) for artifact in ordered)


def _provenance(rebuilt: Rebuilt, commit: str | None) -> dict[str, object]:
    """SLSA provenance v1 (slsa.dev/spec/v1.0/provenance) of build A. Times are left out: they are optional, and differ."""
    inputs = in_order(rebuilt.build.inputs)
    nar_sha256 = base64.b64decode(inputs.environment.nar_hash.removeprefix("sha256-")).hex()
    dependencies: list[dict[str, object]] = [
        {"name": "inputs", "digest": {"sha256": inputs_digest(inputs).hex}},
        {
            "name": "environment (NAR)",
            "uri": f"file://{inputs.environment.store_path}",
            "digest": {"sha256": nar_sha256},
        },
        *(_dependency(f"{p.name} {p.version} {p.architecture}", p.sha256) for p in inputs.packages),
        *(_dependency(source.path, source.sha256) for source in inputs.source_files),
    ]
    if commit is not None:
        dependencies.insert(0, {"name": "source", "digest": {"gitCommit": commit}})
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": s.name, "digest": {"sha256": s.digest.sha256.hex}} for s in subjects(rebuilt.build.artifacts)
        ],
        "predicateType": PROVENANCE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"image": inputs.image, "profiles": list(inputs.profiles)},
                "resolvedDependencies": dependencies,
            },
            "runDetails": {"builder": {"id": BUILDER_ID, "version": {"teekit-verify": rebuilt.tool_version}}},
        },
    }


def _dependency(name: str, digest: Digest) -> dict[str, object]:
    return {"name": name, "digest": {"sha256": digest.hex}}
