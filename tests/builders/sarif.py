"""What SARIF 2.1.0 asks of the parts of a log that we write, by the standard's sections; nothing else may be in them."""

from __future__ import annotations

import json
from typing import Any

import jsonschema

_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}


def _object(required: list[str], **properties: object) -> dict[str, object]:
    return {"type": "object", "additionalProperties": False, "required": required, "properties": properties}


_RULE = _object(  # 3.49
    ["id"],
    id={"type": "string", "pattern": "^[a-z-]+$"},
    name={"type": "string"},
    shortDescription=_TEXT,
)
_PHYSICAL = _object(  # 3.29
    ["artifactLocation"],
    artifactLocation=_object(
        ["uri"], uri={"type": "string", "pattern": r"^(file:///)?[A-Za-z0-9._~/%-]+$"}
    ),  # 3.4, RFC 3986
    region=_object(["startLine"], startLine={"type": "integer", "minimum": 1}),  # 3.30.5
)
_RESULT = _object(  # 3.27
    ["message", "ruleId", "level", "locations"],
    ruleId={"type": "string"},
    ruleIndex={"type": "integer", "minimum": 0},
    level={"enum": ["none", "note", "warning", "error"]},
    message=_TEXT,
    locations={
        "type": "array",
        "minItems": 1,
        "items": _object(  # 3.28
            ["physicalLocation"],
            physicalLocation=_PHYSICAL,
            logicalLocations={"type": "array", "items": _object([], fullyQualifiedName={"type": "string"})},
        ),
    },
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
)
_RUN = _object(  # 3.14
    ["tool"],
    tool=_object(  # 3.18
        ["driver"],
        driver=_object(  # 3.19
            ["name"],
            name={"const": "teekit-verify"},
            version={"type": "string"},
            rules={"type": "array", "uniqueItems": True, "items": _RULE},
        ),
    ),
    invocations={  # 3.20
        "type": "array",
        "items": _object(
            ["executionSuccessful"], executionSuccessful={"type": "boolean"}, exitCode={"type": "integer"}
        ),
    },
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},  # 3.14.17
    results={"type": "array", "items": _RESULT},
)
_LOG = _object(  # 3.13
    ["version", "runs"],
    **{"$schema": {"type": "string"}},
    version={"const": "2.1.0"},
    runs={"type": "array", "minItems": 1, "items": _RUN},
)


def results(log: bytes) -> list[dict[str, Any]]:
    """Of the one run of a log, which is held against the standard."""
    document = json.loads(log)
    jsonschema.validate(document, _LOG)
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]  # 3.27.6
    found: list[dict[str, Any]] = run["results"]
    return found
