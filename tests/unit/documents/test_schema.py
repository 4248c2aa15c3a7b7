"""The committed JSON schema is the model's, and other people's validators agree with ours on the committed references."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from builders import documents as sample
from teekit_verify.documents import create, load
from teekit_verify.documents.schema import reference_schema, schema_text

REPOSITORY = Path(__file__).parents[3]
SCHEMA = REPOSITORY / "reference/schema/reference-v1.schema.json"
REFERENCES = sorted((REPOSITORY / "reference").glob("*.json"))


def test_committed_schema_is_that_of_the_model() -> None:
    again = "python -m teekit_verify.documents.schema > reference/schema/reference-v1.schema.json"
    assert SCHEMA.read_text() == schema_text(), f"write it again: {again}"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(reference_schema())


@pytest.mark.parametrize("path", REFERENCES, ids=lambda path: path.name)
def test_committed_references_fit_the_schema_and_load(path: Path) -> None:
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(json.loads(path.read_text()))
    reference = load.load_reference(path)
    assert create.dump_reference(reference) == path.read_bytes(), "committed references are written by the tool"


def _sample() -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(create.dump_reference(sample.reference()))
    return fields


def test_a_reference_fits_the_schema() -> None:
    jsonschema.Draft202012Validator(reference_schema()).validate(_sample())


def test_the_schema_refuses_what_it_does_not_know() -> None:
    validator = jsonschema.Draft202012Validator(reference_schema())
    unknown_field = _sample() | {"extra": 1}
    unknown_register = _sample()
    unknown_register["platforms"]["tdx"]["RTMR9"] = unknown_register["platforms"]["tdx"].pop("RTMR1")
    unknown_version = _sample() | {"schema": "teekit-verify/reference/v2"}
    for fields, message in (
        (unknown_field, "'extra' was unexpected"),
        (unknown_register, "'RTMR9' does not match"),
        (unknown_version, "'teekit-verify/reference/v1' was expected"),
    ):
        with pytest.raises(jsonschema.ValidationError, match=message):
            validator.validate(fields)


def test_every_object_of_the_schema_is_closed() -> None:
    def open_objects(node: object, where: str) -> list[str]:
        if isinstance(node, list):
            return [found for item in node for found in open_objects(item, where)]
        if not isinstance(node, dict):
            return []
        here = [where] if node.get("type") == "object" and node.get("additionalProperties") is not False else []
        return here + [found for key, item in node.items() for found in open_objects(item, f"{where}/{key}")]

    assert open_objects(reference_schema(), "#") == []
