"""What a finished build leaves in its folder, so that a later run can tell it from a half-finished one, and from one that was
not made here: a workspace may come with a stranger's archive or repository, with artifacts and records that fit each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import write_whole
from teekit_verify.documents import codec
from teekit_verify.documents.model import Artifacts, Build, Inputs

_SCHEMA: Literal["teekit-verify/finished-build/v2"] = "teekit-verify/finished-build/v2"
_NAME = "finished.json"


@dataclass(frozen=True, slots=True)
class Record:
    """A finished build: its conditions (variation -> value), inputs and artifacts.

    `places` has the inode and the time of the last change (nanoseconds) of each artifact, in their order: what nobody can
    bring along, as it is the file system that gives them.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    schema: Literal["teekit-verify/finished-build/v2"]
    conditions: dict[str, str]
    inputs: Inputs
    artifacts: Artifacts
    places: tuple[tuple[int, int], ...]

    @property
    def build(self) -> Build:
        return Build(self.inputs, self.artifacts)


def save(folder: Path, conditions: dict[str, str], build: Build, output: Path) -> None:
    """Mark the build in `folder` as finished; call it when the artifacts are on disk, in `output`."""
    recorded = Record(_SCHEMA, conditions, build.inputs, build.artifacts, places(output, build.artifacts))
    write_whole(folder / _NAME, codec.dump(recorded))


def places(output: Path, artifacts: Artifacts) -> tuple[tuple[int, int], ...]:
    """Where the artifacts lie now, see `Record`."""
    found = [(output / artifact.name).stat() for artifact in artifacts]
    return tuple((status.st_ino, status.st_ctime_ns) for status in found)


def load(folder: Path) -> Record | None:
    """The record of a finished build; None if the build was not finished, or its record is damaged."""
    path = folder / _NAME
    if not path.is_file():
        return None
    try:
        return codec.parse(Record, _SCHEMA, codec.read_bounded(path), str(path))
    except TeekitError:
        return None
