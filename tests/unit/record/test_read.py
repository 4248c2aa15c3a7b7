"""Reports read back: what was written comes back whole, what is not a report is refused with the field's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from builders import reports
from teekit_verify.core.errors import TeekitError
from teekit_verify.record import json_report, read
from teekit_verify.record.schema import report_schema, schema_text

SCHEMA = Path(__file__).parents[3] / "reference/schema/report-v2.schema.json"


def document(name: str = "reproduced", **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(json_report.render_rebuild(reports.REBUILDS[name]))
    return fields | changes


@pytest.mark.parametrize("name", reports.REBUILDS)
def test_a_report_comes_back_as_it_was_written(name: str) -> None:
    data = json_report.render_rebuild(reports.REBUILDS[name])
    assert json_report.render_rebuild(read.parse_rebuild(data, "report.json")) == data


@pytest.mark.parametrize("name", reports.REBUILDS)
def test_reports_fit_the_committed_schema(name: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    assert [error.message for error in validator.iter_errors(document(name))] == []


def test_committed_schema_is_that_of_the_model() -> None:
    again = "python -m teekit_verify.record.schema > reference/schema/report-v2.schema.json"
    assert SCHEMA.read_text() == schema_text(), f"write it again: {again}"


def test_the_schema_is_a_schema_and_closed() -> None:
    schema = report_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError, match="'extra' was unexpected"):
        jsonschema.Draft202012Validator(schema).validate(document(extra=1))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"schema": "teekit-verify/comparison/v1"}, "schema: expected 'teekit-verify/report/v2', found"),
        ({"extra": 1}, "extra: unknown field"),
        ({"verdict": "FINE"}, "verdict: expected 'FAILED', 'INPUT_DRIFT', "),
        ({"exit_status": 1}, "exit_status: expected 0 for REPRODUCED"),
        ({"exit_status": False}, "exit_status: expected 0 for REPRODUCED"),
        ({"steps": [{"name": "x", "seconds": -1}]}, "steps[0].seconds: expected at least 0, found -1"),
        ({"smells": [{}]}, "smells[0].name: missing field"),
        ({"steps": [{"name": "x", "seconds": "long"}]}, 'steps[0].seconds: expected a number, found "long"'),
        ({"steps": {}}, "steps: expected a list, found an object"),
        ({"image": 5}, "image: expected text, found 5"),
    ],
)
def test_what_is_no_report_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(TeekitError) as caught:
        read.parse_rebuild(json.dumps(document(**changes)).encode(), "some.json")
    assert caught.value.message.startswith("some.json: ")
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1]", "is not a document of this tool"),
        (b"[" + b"1," * 250_000 + b"1]", "has more than 200000 values"),
    ],
)
def test_hostile_bytes_are_errors(data: bytes, problem: str) -> None:
    with pytest.raises(TeekitError, match=problem):
        read.parse_rebuild(data, "x")


def test_a_tree_of_differences_that_is_too_deep_is_refused() -> None:
    leaf: dict[str, Any] = {"name": "x", "kind": "content", "what": "differs"}
    for _ in range(400):
        leaf = {"name": "x", "kind": "content", "what": "differs", "children": [leaf]}
    deep = document(explanations=[{"a": "A", "b": "B", "differences": [leaf]}])
    with pytest.raises(TeekitError, match="x: "):
        read.parse_rebuild(json.dumps(deep).encode(), "x")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="cannot be read: No such file"):
        read.load_rebuild(tmp_path / "none.json")
