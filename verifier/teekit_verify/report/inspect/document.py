"""One of this project's own JSON documents, for people and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.documents.identify import PREFIX
from teekit_verify.record.json_report import render
from teekit_verify.record.schema_names import INSPECTION_SCHEMA
from teekit_verify.report.layout import show_line, styled

if TYPE_CHECKING:
    from teekit_verify.documents.identify import DocumentFacts
    from teekit_verify.report.console import Console

_KINDS = {
    "measurements": "predicted measurements of one artifact (`compare` puts them against a reference)",
    "reference": "a reference: the published measurements of one release, and what they were made from",
    "inputs": "the record of what one build consumed",
    "package-lock": "the lock of an image's packages",
    "report": "the report of a rebuild",
    "comparison": "the result of a comparison with a reference",
    "gcp-facts": "recorded facts of Google Cloud machines",
}


def _kind(facts: DocumentFacts) -> str:
    """What a document of its schema is."""
    return _KINDS.get(facts.document_schema.removeprefix(PREFIX).partition("/")[0], "another document of this tool")


def show_document(facts: DocumentFacts, out: Console) -> None:
    show_line(out, styled(facts.name, "bold"), f", JSON document, {facts.size_bytes} bytes")
    show_line(out, f"sha256 {facts.sha256.hex}")
    show_line(out, "schema ", styled(facts.document_schema), ": ", _kind(facts))


def render_document(facts: DocumentFacts) -> bytes:
    """What `inspect --json` prints for a document."""
    return render({"schema": INSPECTION_SCHEMA}, facts, kind=_kind(facts))
