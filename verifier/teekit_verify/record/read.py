"""report.json, as anybody may have written it, back to a `RebuildReport`. Both versions of the schema are read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from teekit_verify.core.errors import TeekitError
from teekit_verify.documents import codec
from teekit_verify.evidence.meaning import MeaningKind
from teekit_verify.record.document import RebuildReport
from teekit_verify.record.read_v1 import upgraded
from teekit_verify.record.schema_names import REBUILD_SCHEMA, REBUILD_SCHEMA_V1

if TYPE_CHECKING:
    from pathlib import Path


def load_rebuild(path: Path) -> RebuildReport:
    """Raises TeekitError with the JSON path of the offending field."""
    return parse_rebuild(codec.read_bounded(path), str(path))


def parse_rebuild(data: bytes, where: str) -> RebuildReport:
    """The document without its heading, which must fit it. Nothing is believed or checked beyond its form."""
    fields = codec.bounded_json(data, where)
    if is_v1(data, where):
        fields = upgraded(fields) if isinstance(fields, dict) else fields
    else:
        codec.require_schema(data, REBUILD_SCHEMA, where)
    assert isinstance(fields, dict)  # noqa: S101 - as require_schema found
    del fields["schema"]
    _without_words(fields)
    fields.pop("open_registers", None)  # a count of what `checklist` has
    status = fields.pop("exit_status", None)
    report = codec.validate(RebuildReport, json.dumps(fields).encode(), where)
    if status != report.verdict.exit_status or isinstance(status, bool):
        raise TeekitError(
            f"{where}: exit_status: expected {int(report.verdict.exit_status)} for {report.verdict.value}",
            hint="Fetch the file again.",
        )
    return report


def is_v1(data: bytes, where: str) -> bool:
    """Whether a document is a report of schema v1."""
    fields = codec.bounded_json(data, where)
    return isinstance(fields, dict) and fields.get("schema") == REBUILD_SCHEMA_V1


def _without_words(fields: dict[str, Any]) -> None:
    """`name` and `detail` of checks, `meaning` of differences repeat their values for people: whatever they say, the values are read."""
    checklist = fields.get("checklist")
    if not isinstance(checklist, dict):
        return
    for list_ in (checklist.get("checks"), checklist.get("ignored")):
        for check in list_ if isinstance(list_, list) else ():
            if isinstance(check, dict):
                check.pop("name", None)
                check.pop("detail", None)
                reason = check.get("reason")
                _with_means(reason.get("difference") if isinstance(reason, dict) else None)
    differences = checklist.get("differences")
    for difference in differences if isinstance(differences, list) else ():
        _with_means(difference)


def _with_means(difference: object) -> None:
    """Reports were written whose differences have their meaning as a sentence only: it is kept as one."""
    if isinstance(difference, dict) and (words := difference.pop("meaning", None)) and "means" not in difference:
        difference["means"] = {"kind": MeaningKind.SAID.value, "names": [words]}
