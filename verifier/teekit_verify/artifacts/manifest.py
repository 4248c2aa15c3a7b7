"""The manifest mkosi writes beside an image: its packages with their versions (mkosi 25, mkosi/manifest.py)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from teekit_verify.core.errors import MalformedInputError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.core.plain_json import load_plain

MAX_BYTES = 16 << 20
_MAX_PACKAGES = 100_000


@dataclass(frozen=True, slots=True, order=True)
class ManifestPackage:
    """One row of the manifest; `type` is the kind of package, such as deb."""

    type: str
    name: str
    architecture: str
    version: str


@frozen
class Manifest:
    """`config` are the rows about the image as (name, value as JSON); packages in the order of the file."""

    config: tuple[tuple[str, str], ...]
    packages: tuple[ManifestPackage, ...]


def parse_manifest(data: bytes, *, what: str = "manifest") -> Manifest:
    """Raises MalformedInputError for anything but a manifest."""
    if len(data) > MAX_BYTES:
        raise _bad(what, "file size", f"{len(data)} bytes, at most {MAX_BYTES} are read")
    try:
        document = load_plain(data)
    except ValueError as error:
        raise _bad(what, "JSON", printable(str(error))) from error
    if not isinstance(document, dict) or not isinstance(rows := document.get("packages"), list):
        raise _bad(what, "packages", "there is no list of packages")
    config = document.get("config", {})
    if len(rows) > _MAX_PACKAGES or not isinstance(config, dict):
        raise _bad(what, "packages", f"{len(rows)} packages, at most {_MAX_PACKAGES} are read")
    return Manifest(
        tuple((name, json.dumps(value, sort_keys=True)) for name, value in config.items()),
        tuple(_package(row, what) for row in rows),
    )


def _package(row: object, what: str) -> ManifestPackage:
    fields = [row.get(name) for name in ("type", "name", "architecture", "version")] if isinstance(row, dict) else []
    texts = [field for field in fields if isinstance(field, str)]
    if len(texts) != 4:  # noqa: PLR2004
        raise _bad(what, "package", "has no type, name, architecture and version")
    return ManifestPackage(*texts)


def _bad(what: str, field: str, problem: str) -> MalformedInputError:
    return MalformedInputError(what, field=field, offset=0, problem=problem)
