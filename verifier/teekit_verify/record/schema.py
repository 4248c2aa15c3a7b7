"""The JSON schema of report.json, made from `report.document`, for people who read reports with other tools.

`python -m teekit_verify.record.schema > reference/schema/report-v2.schema.json` writes the committed copy again.
"""

from __future__ import annotations

import sys
from typing import Any

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents.schema import as_text, document_schema
from teekit_verify.record.document import RebuildReport
from teekit_verify.record.schema_names import REBUILD_SCHEMA


def report_schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12. The document has three fields more than `RebuildReport`: `schema`, `exit_status` and `open_registers`."""
    schema = document_schema(RebuildReport, "report-v2.schema.json")
    heading = {
        "schema": {"const": REBUILD_SCHEMA, "type": "string"},
        "exit_status": {"enum": [int(status) for status in ExitStatus], "type": "integer"},
        "open_registers": {"minimum": 0, "type": "integer"},
    }
    schema["properties"] = heading | schema["properties"]
    schema["required"] = [*heading, *schema["required"]]
    for kind in (schema, *schema["$defs"].values()):
        kind.pop("description", None)  # those are for readers of the code
    words = {name: {"type": "string"} for name in ("name", "detail")}
    schema["$defs"]["Check"]["properties"] = words | schema["$defs"]["Check"]["properties"]
    schema["$defs"]["EventDifference"]["properties"]["meaning"] = {"default": "", "type": "string"}
    return schema


def schema_text() -> str:
    return as_text(report_schema())


if __name__ == "__main__":
    sys.stdout.write(schema_text())
