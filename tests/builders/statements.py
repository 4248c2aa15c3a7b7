"""Report directories of rebuilds, as `rebuild` leaves them, and the statements made from them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from builders import documents, keys, reports
from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.appraisal.statements.create import Rebuilt, signed_statement
from teekit_verify.appraisal.statements.statement import ReferenceNamed
from teekit_verify.documents import model
from teekit_verify.documents.create import dump_inputs, dump_measurements
from teekit_verify.record.document import RebuildReport
from teekit_verify.record.json_report import render_rebuild

COMMIT = "a" * 40
PUBLISHED = ReferenceNamed("base-1", COMMIT, documents.sha256("reference"))

_OTHER_RELEASE = replace(
    documents.reference(), artifacts=(replace(documents.UKI, sha256=documents.sha256("published")), documents.MANIFEST)
)
MISMATCH = reports._rebuild(documents.build(), _OTHER_RELEASE)
"""The report of a rebuild that gave another UKI than was published."""


def write_report(folder: Path, report: RebuildReport) -> Path:
    """The artifacts' contents are those that the sample documents' digests are of."""
    (folder / "artifacts").mkdir(parents=True)
    (folder / "artifacts" / documents.UKI.name).write_bytes(b"uki")
    (folder / "artifacts" / documents.MANIFEST.name).write_bytes(b"manifest")
    (folder / "inputs.json").write_bytes(dump_inputs(documents.inputs()))
    (folder / "measurements.json").write_bytes(dump_measurements(documents.measurements()))
    (folder / "report.json").write_bytes(render_rebuild(report))
    return folder


def rebuilt(verdict: Verdict = Verdict.REPRODUCED, build: model.Build | None = None) -> Rebuilt:
    return Rebuilt(
        verdict,
        ("artifact tdx-debian.efi: same size, other bytes",) if verdict is Verdict.MISMATCH else (),
        "0.1.0",
        build or documents.build(),
        documents.measurements(),
        None if verdict is Verdict.UNREFERENCED else PUBLISHED,
    )


def statement_of(
    auditor: str,
    verdict: Verdict = Verdict.REPRODUCED,
    *,
    build: model.Build | None = None,
    commit: str | None = COMMIT,
    key: str = "",
) -> bytes:
    """The auditor's file, signed by the key of that name (or of `key`)."""
    return signed_statement(rebuilt(verdict, build), auditor, commit, keys.signing_key(key or auditor))


def bundle_of(auditor: str, *, line: int = 1) -> bytes:
    """One line of the auditor's file (1: the verdict) as a Sigstore bundle, put together by hand as cosign does."""
    envelope = json.loads(statement_of(auditor).splitlines()[line])
    return json.dumps(
        {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": "anything"}, "tlogEntries": []},
            "dsseEnvelope": envelope,
        },
        separators=(",", ":"),
    ).encode()
