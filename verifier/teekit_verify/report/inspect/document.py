"""Which of this project's own JSON documents a file is. What is in it, the commands for it show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import codec
from teekit_verify.record.json_report import render
from teekit_verify.record.schema_names import INSPECTION_SCHEMA
from teekit_verify.report.layout import show_line, styled

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.report.console import Console


_SNIFFED_BYTES = 512
_PREFIX = "teekit-verify/"
_KINDS = {
    "measurements": "predicted measurements of one artifact (`compare` puts them against a reference)",
    "reference": "a reference: the published measurements of one release, and what they were made from",
    "inputs": "the record of what one build consumed",
    "package-lock": "the lock of an image's packages",
    "report": "the report of a rebuild",
    "comparison": "the result of a comparison with a reference",
    "gcp-facts": "recorded facts of Google Cloud machines",
}


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """`kind` is what a document of this schema is, in words."""

    name: str
    size_bytes: int
    sha256: Digest
    document_schema: str
    kind: str


def is_document(path: Path) -> bool:
    """Whether a file begins like a JSON document that names one of our schemas. False for what cannot be read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_SNIFFED_BYTES)
    except OSError:
        return False
    return re.match(rb'\s*\{\s*"schema"\s*:\s*"teekit-verify/', head) is not None


def inspect_document(path: Path) -> DocumentFacts:
    """Reads its schema, not its fields. Raises TeekitError for what is not JSON."""
    data = codec.read_bounded(path)
    fields = codec.bounded_json(data, str(path))
    schema = fields.get("schema") if isinstance(fields, dict) else None
    if not isinstance(schema, str) or not schema.startswith(_PREFIX):
        raise TeekitError(f"{path}: is not a document of this tool: its field 'schema' names none")
    words = _KINDS.get(schema.removeprefix(_PREFIX).partition("/")[0], "another document of this tool")
    return DocumentFacts(path.name, len(data), Digest.of(Algorithm.SHA256, data), schema, words)


def show_document(facts: DocumentFacts, out: Console) -> None:
    show_line(out, styled(facts.name, "bold"), f", JSON document, {facts.size_bytes} bytes")
    show_line(out, f"sha256 {facts.sha256.hex}")
    show_line(out, "schema ", styled(facts.document_schema), ": ", facts.kind)


def render_document(facts: DocumentFacts) -> bytes:
    """What `inspect --json` prints for a document."""
    return render({"schema": INSPECTION_SCHEMA}, facts)
