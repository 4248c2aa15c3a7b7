"""A job for rebuilderd: all that a worker needs of a release, in one file, whose digest rebuilderd's attestations are about.

A worker is given one file and where to put artifacts. The reference file stands in it byte for byte, so that its digest and its signatures stay good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from teekit_verify.core.marks import ConfigDict, Field
from teekit_verify.documents import codec
from teekit_verify.documents.release import Release  # noqa: TC001 - pydantic reads the annotations

if TYPE_CHECKING:
    from pathlib import Path

JOB_SCHEMA: Literal["teekit-verify/rebuilderd-job/v1"] = "teekit-verify/rebuilderd-job/v1"


@dataclass(frozen=True, slots=True)
class Job:
    """`name` is the release's, `release` its release.json, `reference` the text of its reference file."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    schema: Literal["teekit-verify/rebuilderd-job/v1"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}$")]
    release: Release
    reference: Annotated[str, Field(max_length=codec.MAX_DOCUMENT_BYTES)]


def load_job(path: Path) -> Job:
    """Raises TeekitError with the JSON path of the offending field."""
    return codec.parse(Job, JOB_SCHEMA, codec.read_bounded(path), str(path))
