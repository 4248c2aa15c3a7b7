"""Which of this project's own JSON documents a file is. What is in it, the commands for it show."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import codec

if TYPE_CHECKING:
    from teekit_verify.core.files import OpenedInput

PREFIX = "teekit-verify/"
_SNIFFED_BYTES = 512
_OURS = re.compile(rb'\s*\{\s*"schema"\s*:\s*"teekit-verify/')


@dataclass(frozen=True, slots=True)
class DocumentFacts:
    """A file with a schema of ours."""

    name: str
    size_bytes: int
    sha256: Digest
    document_schema: str


def is_document(file: OpenedInput) -> bool:
    """Whether a file begins like a JSON document that names one of our schemas."""
    return _OURS.match(file.head[:_SNIFFED_BYTES]) is not None


def names_schema(file: OpenedInput, schema: str) -> bool:
    """Whether it begins like one of that schema."""
    return is_document(file) and schema.encode() in file.head[:_SNIFFED_BYTES]


def inspect_document(file: OpenedInput) -> DocumentFacts:
    """Reads its schema, not its fields. Raises TeekitError for what is not JSON."""
    data = file.whole(codec.MAX_DOCUMENT_BYTES, codec.WHAT)
    fields = codec.bounded_json(data, str(file.path))
    schema = fields.get("schema") if isinstance(fields, dict) else None
    if not isinstance(schema, str) or not schema.startswith(PREFIX):
        raise TeekitError(f"{file.path}: is not a document of this tool: its field 'schema' names none")
    return DocumentFacts(file.name, len(data), Digest.of(Algorithm.SHA256, data), schema)
