"""`reference/releases/NAME/release.json`: where the source of a release is, and what it must give. Data only."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from teekit_verify.core.errors import TeekitError, choose_from, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import AfterValidator, ConfigDict, Field
from teekit_verify.documents import codec, fields
from teekit_verify.documents.schema import as_text, document_schema

RELEASE_SCHEMA: Literal["teekit-verify/release/v1"] = "teekit-verify/release/v1"

_FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}\.json$")]
_Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+/-]{0,200}$")]


def _of_the_calendar(day: str) -> str:
    date.fromisoformat(day)
    return day


_Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_of_the_calendar)]


@frozen
class ReleaseInputs:
    """Where the publisher keeps an archive of the inputs, as --inputs names it. Hints: every file is checked against the locks.

    `manifest_sha256` is the digest of the archive's manifest of this release.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    manifest_sha256: fields.Sha256
    locations: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(https?|oci)://[^\s@]+$", max_length=1024)], ...], Field(max_length=16)
    ]


@frozen
class Release:
    """One image of one release. `reference` is a file beside release.json.

    `repository` is an address that git fetches from; None is the repository that this file is in. At least one of `commit`
    and `tag` is given; a tag must name the commit, if both are. `inputs` says where its inputs are kept, beside the archives
    that anybody has.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    schema: Literal["teekit-verify/release/v1"]
    repository: Annotated[str, Field(max_length=1024)] | None
    commit: fields.Commit | None
    tag: _Tag | None
    image: fields.Name
    profiles: Annotated[tuple[fields.Name, ...], Field(max_length=64)]
    reference: _FileName
    inputs: ReleaseInputs | None = None
    withdrawn: Annotated[str, Field(max_length=1024)] | None = None
    """Why it must not be accepted any more, with its advisory. The values stay, so that machines can still be recognised."""
    released: _Day | None = None
    """The day (UTC) on which it was published, as the publisher says."""

    @property
    def released_on(self) -> date | None:
        return None if self.released is None else date.fromisoformat(self.released)


def withdrawal_of(reference: Path) -> str | None:
    """Why the release was withdrawn that a reference file belongs to: of the release.json beside it, if that names the file.

    Raises TeekitError for a release.json that cannot be read: it may say so. One of another kind says nothing.
    """
    release = release_beside(reference)
    return None if release is None else release.withdrawn


def release_beside(reference: Path) -> Release | None:
    """The release that a reference file belongs to: of the release.json beside it, if that names the file. Raises as `withdrawal_of`."""
    path = reference.with_name("release.json")
    if not path.is_file():
        return None
    data = codec.read_bounded(path)
    said = codec.bounded_json(data, str(path))
    if not isinstance(said, dict) or said.get("schema") != RELEASE_SCHEMA:
        return None
    release = codec.parse(Release, RELEASE_SCHEMA, data, str(path))
    return release if release.reference == reference.name else None


def load_release(folder: Path, name: str) -> tuple[Release, Path]:
    """The release of that name in the folder of releases, and the path of its reference file."""
    if not _is_there(folder, name):
        known = sorted(path.parent.name for path in folder.glob("*/release.json"))
        hint = choose_from(name, known) if known else "Name a checkout with --source DIR."
        raise TeekitError(f"there is no release '{printable(name)}' in {folder}", hint=hint)
    return read_release(folder / name / "release.json")


def _is_there(folder: Path, name: str) -> bool:
    """A name is never a path to somewhere else."""
    if name in {"", ".", ".."} or name != Path(name).name:
        return False
    try:
        return (folder / name / "release.json").exists()
    except OSError:  # a name that is too long for one
        return False


def read_release(path: Path) -> tuple[Release, Path]:
    """A release.json, and the path of its reference file. Raises TeekitError."""
    release = codec.parse(Release, RELEASE_SCHEMA, codec.read_bounded(path), str(path))
    if release.commit is None and release.tag is None:
        raise TeekitError(f"{path}: names neither a commit nor a tag", hint="Give a commit: a tag may move.")
    return release, path.with_name(release.reference)


def schema_text() -> str:
    """The committed schema: `python -m teekit_verify.documents.release > reference/schema/release-v1.schema.json`."""
    return as_text(document_schema(Release, "release-v1.schema.json"))


if __name__ == "__main__":
    sys.stdout.write(schema_text())
