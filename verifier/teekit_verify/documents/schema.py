"""The JSON schema of reference files, made from the model, for people who check them with other tools.

`python -m teekit_verify.documents.schema > reference/schema/reference-v1.schema.json` writes the committed copy again.
It says what each field may hold; what fields must hold together (policy and number of values, log and value) only
`reference.load` checks.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from teekit_verify.documents.model import Reference


def reference_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12."""
    return document_schema(Reference, "reference-v1.schema.json")


def document_schema(kind: Any, name: str) -> dict[str, Any]:
    """The schema of a document whose dataclass is `kind`; `name` is its file's."""
    from pydantic import TypeAdapter
    from pydantic.json_schema import GenerateJsonSchema

    class Schema(GenerateJsonSchema):
        # A digest that is a default is left out: the field is not required all the same.
        ignored_warning_kinds = GenerateJsonSchema.ignored_warning_kinds | {"non-serializable-default"}

    schema = TypeAdapter(kind).json_schema(schema_generator=Schema)
    _tidy(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": name, **schema}


def _tidy(node: object) -> None:
    """Mappings admit only keys that fit (pydantic leaves that open), and titles that repeat the field name are dropped."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    if "patternProperties" in node:
        node["additionalProperties"] = False
    if isinstance(node.get("title"), str):
        del node["title"]
    for item in node.values():
        _tidy(item)


def schema_text() -> str:
    """The committed file: reference/schema/reference-v1.schema.json."""
    return as_text(reference_schema())


def as_text(schema: dict[str, Any]) -> str:
    """A schema as it is committed."""
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
