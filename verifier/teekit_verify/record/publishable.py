"""From the report directory of a rebuild to what a file of reference values is made of.

Only what one commit gave, twice, is published: the verdict is REPRODUCED or UNREFERENCED, the source had no changes, and the
commit, image and profiles are those that the report says, whatever somebody names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import ConfigDict, Field
from teekit_verify.documents import codec, fields
from teekit_verify.record.directory import load_reproduced
from teekit_verify.record.read import is_v1
from teekit_verify.record.schema_names import REBUILD_SCHEMA, REBUILD_SCHEMA_V1

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.documents.model import Build, Measurements

_SOME = ConfigDict(extra="ignore", strict=True)
_PUBLISHABLE = {Verdict.REPRODUCED, Verdict.UNREFERENCED}


@frozen
class RecordedOrigin:
    """Where a report says its source came from."""

    __pydantic_config__: ClassVar = _SOME
    commit: fields.Commit | None
    changes: Annotated[tuple[str, ...], Field(max_length=fields.MAX_ITEMS)] = ()

    def require_unchanged(self, where: str) -> None:
        """Raises TeekitError if files were built that are in no commit: the commit would be named for what it did not give."""
        if self.changes:
            more = f" and {len(self.changes) - 1} more" if len(self.changes) > 1 else ""
            raise TeekitError(
                f"{where}: the source had changes that are in no commit: {printable(self.changes[0])}{more}",
                hint="Commit them, and run the rebuild again.",
            )


@frozen
class _Report:
    __pydantic_config__: ClassVar = _SOME
    schema: Literal["teekit-verify/report/v1", "teekit-verify/report/v2"]
    verdict: Verdict
    image: fields.Name
    profiles: Annotated[tuple[fields.Name, ...], Field(max_length=64)]
    origin: RecordedOrigin | None = None


def load_publishable(directory: Path, commit: str | None) -> tuple[Build, Measurements, str | None]:
    """The build, its measurements, and the commit that they came from (None where the report knows none).

    `commit` is what somebody says it is, or None. Raises TeekitError for a report that cannot be published, and where they differ.
    """
    where = str(directory / "report.json")
    data = codec.read_bounded(directory / "report.json")
    report = codec.parse(_Report, REBUILD_SCHEMA_V1 if is_v1(data, where) else REBUILD_SCHEMA, data, where)
    build, measurements = load_reproduced(directory)
    if report.verdict not in _PUBLISHABLE:
        raise TeekitError(
            f"{directory}: a rebuild with the verdict {report.verdict.value} cannot be published",
            hint="Rebuild with the inputs of the commit; with --no-reference, if what was published before is to be replaced.",
        )
    if (build.inputs.image, build.inputs.profiles) != (report.image, report.profiles):
        raise TeekitError(f"{directory}: inputs.json is not what the report is about", hint="Run the rebuild again.")
    origin = report.origin or RecordedOrigin(None)
    origin.require_unchanged(str(directory))
    if commit not in {None, origin.commit}:
        raise TeekitError(
            f"{directory}: the source was {origin.commit or 'in no commit that git knows'}, not {printable(commit or '')}",
            hint="Leave --commit out: the report knows its commit.",
        )
    return build, measurements, origin.commit
