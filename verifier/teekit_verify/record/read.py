"""report.json, as anybody may have written it, back to a `RebuildReport`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import codec
from teekit_verify.record.document import REBUILD_SCHEMA, RebuildReport

if TYPE_CHECKING:
    from pathlib import Path


def load_rebuild(path: Path) -> RebuildReport:
    """Raises TeekitError with the JSON path of the offending field."""
    return parse_rebuild(codec.read_bounded(path), str(path))


def parse_rebuild(data: bytes, where: str) -> RebuildReport:
    """The document without its heading, which must fit it. Nothing is believed or checked beyond its form."""
    codec.require_schema(data, REBUILD_SCHEMA, where)
    fields = codec.plain_json(data, where)
    assert isinstance(fields, dict)  # noqa: S101 - as require_schema found
    del fields["schema"]
    status = fields.pop("exit_status", None)
    report = codec.validate(RebuildReport, json.dumps(fields).encode(), where)
    if status != report.verdict.exit_status or isinstance(status, bool):
        raise TeekitError(
            f"{where}: exit_status: expected {int(report.verdict.exit_status)} for {report.verdict.value}",
            hint="Fetch the file again.",
        )
    return report
