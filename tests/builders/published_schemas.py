"""The committed JSON schemas, asked whether a document fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

FOLDER = Path(__file__).parents[2] / "reference/schema"


def problems(name: str, document: Any) -> list[str]:
    """Where a document does not fit the schema of that name, and why."""
    validator = jsonschema.Draft202012Validator(json.loads((FOLDER / f"{name}.schema.json").read_text()))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
