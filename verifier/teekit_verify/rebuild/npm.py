"""npm packages of an image: named by package-lock.json files in its source, and locked beside the Debian packages.

Nothing here installs a package or runs one of its scripts: packages are files with a digest.
"""

from __future__ import annotations

import tempfile
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from teekit_verify.core import process, url
from teekit_verify.core.digest import Algorithm, Digest, digest_file
from teekit_verify.core.errors import TeekitError, ToolMissingError, printable
from teekit_verify.documents import codec
from teekit_verify.rebuild.lock import LockedPackage

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE_LOCK = "package-lock.json"
_TIMEOUT_SECONDS = 600
_PLACE = "node_modules/"
_INTEGRITY = "sha512-"
_HINT = "Make it anew: npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved"


class NpmError(TeekitError):
    """A package-lock.json does not say what it must, or a registry has other bytes."""


def locked_names(package_lock: Path) -> Iterator[tuple[str, str, Digest]]:
    """Name, version and SHA-512 of the packages in a package-lock.json (npm's format, version 3). Raises NpmError.

    Every package must be pinned by its integrity and have no address: where it is from is not part of what it is.
    """
    content: Any = codec.plain_json(codec.read_bounded(package_lock), str(package_lock))
    try:
        if content["lockfileVersion"] != 3:  # noqa: PLR2004 - npm's number
            raise NpmError(f"{package_lock}: lockfileVersion is not 3", hint=_HINT)
        for place, entry in content["packages"].items():
            if place:
                yield _locked_name(package_lock, place, entry)
    except (TypeError, LookupError, AttributeError) as error:
        raise NpmError(f"{package_lock} is not npm's package lock", hint=_HINT) from error


def _locked_name(package_lock: Path, place: str, entry: dict[str, Any]) -> tuple[str, str, Digest]:
    name, integrity = place.removeprefix(_PLACE), str(entry.get("integrity", ""))
    shown = f"{package_lock}: {printable(place[:80])}"
    if _PLACE + name != place or _PLACE in name:
        raise NpmError(f"{shown} is not a package beside the others", hint=_HINT)
    if "resolved" in entry:
        raise NpmError(f"{shown} has an address", hint=_HINT)
    try:
        digest = Digest(Algorithm.SHA512, b64decode(integrity.removeprefix(_INTEGRITY), validate=True))
    except (ValueError, TeekitError):
        digest = None
    if digest is None or not integrity.startswith(_INTEGRITY):
        raise NpmError(f"{shown} has no integrity of the kind sha512", hint=_HINT)
    return name, entry["version"], digest


def lock_package(name: str, version: str, expected: Digest) -> LockedPackage:
    """Ask npm for the package's file, check it, and say what a lock has to say about it. Raises TeekitError."""
    with tempfile.TemporaryDirectory(prefix="teekit-npm-") as folder:
        process.run(
            ["npm", "pack", "--silent", "--ignore-scripts", f"--pack-destination={folder}", "--", f"{name}@{version}"],
            timeout_seconds=_TIMEOUT_SECONDS,
        )
        (file,) = Path(folder).iterdir()
        found = digest_file(file, expected.algorithm)
        if found != expected:
            raise NpmError(f"{name} {version} from npm's registry has {found}, expected {expected}", hint=_HINT)
        try:
            return LockedPackage(
                name=name,
                version=version,
                architecture="amd64",
                archive="npm",
                path=f"{name}/-/{name.rpartition('/')[2]}-{version}.tgz",
                size_bytes=file.stat().st_size,
                sha256=digest_file(file).hex,
            )
        except ValidationError as error:
            raise NpmError(f"{printable(name)} {printable(version)} cannot be locked: {error}", hint=_HINT) from error


def registry(named: str | None) -> str:
    """The registry's address: the one that was named, else the one npm is configured for. Raises TeekitError without either."""
    hint = "Name one with --npm-registry URL, or install npm."
    try:
        found = named or process.run(["npm", "config", "get", "registry"], timeout_seconds=60).stdout.decode().strip()
    except ToolMissingError as error:
        raise TeekitError("the image has npm packages, and no npm registry is known", hint=hint) from error
    return url.require_address(found, "an npm registry")
