"""npm packages of an image: named by package-lock.json files in its source, and locked beside the Debian packages.

Nothing here installs a package or runs one of its scripts: packages are files with a digest.
"""

from __future__ import annotations

import os
import re
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from teekit_verify.core import url
from teekit_verify.core.digest import Algorithm, Digest, digest_file
from teekit_verify.core.download import DownloadStore, RemoteFile
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import read_bounded
from teekit_verify.documents import codec
from teekit_verify.rebuild.lock import NPM_NAME, LockedPackage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

PACKAGE_LOCK = "package-lock.json"
_MAX_SETTINGS_BYTES = 1 << 20
_MAX_PACKAGES = 10_000
_MAX_PACKAGE_BYTES = 1 << 30
# Semantic Versioning 2.0.0, section 9 and the grammar after section 11, but no build metadata: registries drop it.
_VERSION = re.compile(
    r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})(-[0-9A-Za-z-]{1,60}(\.[0-9A-Za-z-]{1,60}){0,10})?"
)
_NAME = re.compile(NPM_NAME)
_DEFINITIONS = (
    "node_modules/@npmcli/config/lib/definitions/definitions.js",
    "@npmcli/config/lib/definitions/definitions.js",
    "lib/utils/config/definitions.js",
)
"""Since npm 9 and 7, seen from a folder above its program."""
_DEFAULT = re.compile(r"'registry',\s{0,40}\{\s{0,40}default:\s{0,8}'(?P<address>https://[!-&(-~]{1,200})'")
_MAX_NAME, _MAX_VERSION = 214, 128
_PLACE = "node_modules/"
_INTEGRITY = "sha512-"
_HINT = "Create it again: npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved"


class NpmError(TeekitError):
    """A package-lock.json does not say what it must, or a registry has other bytes."""


def locked_names(package_lock: Path) -> Iterator[tuple[str, str, Digest]]:
    """Name, version and SHA-512 of the packages in a package-lock.json (npm's format, version 3). Raises NpmError.

    Every package must be pinned by its integrity and have no address: where it is from is not part of what it is.
    """
    yield from names_in(codec.read_bounded(package_lock), str(package_lock))


def problem_of(package_lock: Path) -> str | None:
    """Why no lock can be made of the packages in a package-lock.json, in words; None where one can."""
    try:
        for _ in names_in(codec.read_bounded(package_lock), package_lock.name):
            pass
    except TeekitError as error:
        return error.message
    return None


def names_or_none(package_lock: Path) -> Iterator[tuple[str, str, Digest]]:
    """As `locked_names`; nothing where no lock can be made of them."""
    if problem_of(package_lock) is None:
        yield from locked_names(package_lock)


def names_in(data: bytes, package_lock: str) -> Iterator[tuple[str, str, Digest]]:
    """The same of the bytes of one, which errors call `package_lock`."""
    content: Any = codec.plain_json(data, package_lock)
    try:
        if content["lockfileVersion"] != 3:  # noqa: PLR2004 - npm's number
            raise NpmError(f"{package_lock}: lockfileVersion is not 3", hint=_HINT)
        if len(content["packages"]) > _MAX_PACKAGES:
            raise NpmError(f"{package_lock} has more than {_MAX_PACKAGES} packages", hint=_HINT)
        for place, entry in content["packages"].items():
            if place:
                yield _locked_name(package_lock, place, entry)
    except (TypeError, LookupError, AttributeError) as error:
        raise NpmError(f"{package_lock} is not npm's package lock", hint=_HINT) from error


def _locked_name(package_lock: str, place: str, entry: dict[str, Any]) -> tuple[str, str, Digest]:
    """Refuses by name whatever is not a plain version of a plain name: npm itself would follow it anywhere."""
    name, version = place.removeprefix(_PLACE), entry["version"]
    shown = f"{package_lock}: {printable(place[:80])}"
    if _PLACE + name != place or _PLACE in name:
        raise NpmError(f"{shown} is not a package beside the others", hint=_HINT)
    if len(name) > _MAX_NAME or not _NAME.fullmatch(name):
        raise NpmError(f"{shown} is not a plain name of a package", hint=_HINT)
    if entry.get("name", name) != name or entry.get("link"):
        raise NpmError(f"{shown} stands for another package, or for a folder", hint=_HINT)
    if "resolved" in entry:
        raise NpmError(f"{shown} has an address", hint=_HINT)
    if not isinstance(version, str) or len(version) > _MAX_VERSION or not _VERSION.fullmatch(version):
        raise NpmError(f"{shown} has no plain version, but '{printable(str(version)[:80])}'", hint=_HINT)
    return name, version, _integrity(shown, entry.get("integrity"))


def _integrity(shown: str, text: object) -> Digest:
    if isinstance(text, str) and text.startswith(_INTEGRITY):
        try:
            return Digest(Algorithm.SHA512, b64decode(text.removeprefix(_INTEGRITY), validate=True))
        except (ValueError, TeekitError):
            pass
    raise NpmError(f"{shown} has no integrity of the kind sha512", hint=_HINT)


def lock_package(name: str, version: str, expected: Digest, *, base: str, store: DownloadStore) -> LockedPackage:
    """Fetch the package's file from the registry `base`, check it, and say what a lock has to say about it.

    Raises TeekitError. The file stays in the store, where the build's fetch finds it.
    """
    path = f"{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    address = url.join(base, path)
    size_bytes = store.size_of(address, most_bytes=_MAX_PACKAGE_BYTES)
    store.fetch([RemoteFile(f"npm package {name} {version}", size_bytes, expected, (address,))])
    file = store.path(expected)
    digest = digest_file(file)
    _keep_as(file, store.path(digest))
    try:
        return LockedPackage(
            name=name,
            version=version,
            architecture="amd64",
            archive="npm",
            path=path,
            size_bytes=size_bytes,
            sha256=digest.hex,
        )
    except ValidationError as error:
        raise NpmError(f"{printable(name)} {printable(version)} cannot be locked: {error}", hint=_HINT) from error


def _keep_as(file: Path, place: Path) -> None:
    """Under its other digest too. What cannot be linked is fetched once more."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, place)
    except OSError:
        return


def configured_registry(places: Iterable[Path]) -> str | None:
    """What the first of npm's own settings files (npmrc(5)) that names a registry says. Raises TeekitError for an unreadable one.

    npm itself is not asked: it reads what lies in the folder one stands in, too.
    """
    for place in places:
        if place.is_file():
            lines = read_bounded(place, _MAX_SETTINGS_BYTES, "npm's settings").decode(errors="replace").splitlines()
            named = [line.partition("=")[2].strip() for line in lines if line.partition("=")[0].strip() == "registry"]
            if named:
                return named[-1].strip("\"'")
    return None


def installed_default(program: Path | None) -> str | None:
    """The registry that an installed npm takes when nobody names one: as its own files say, for `program` (npm on the PATH).

    It is read and not run. None without an npm, and for one whose files are not as they have been since version 7.
    """
    if program is None:
        return None
    for folder in program.resolve().parents[:4]:
        for name in _DEFINITIONS:
            place = folder / name
            if place.is_file():
                text = read_bounded(place, _MAX_SETTINGS_BYTES, "npm's definitions").decode(errors="replace")
                found = _DEFAULT.search(text)
                return None if found is None else found["address"]
    return None


def registry(named: str | None) -> str:
    """The registry's address. Raises TeekitError if none is known."""
    if named is None:
        raise TeekitError(
            "the image has npm packages, and no npm registry is known",
            hint="Name one with --npm-registry URL, or in TEEKIT_NPM_REGISTRY.",
        )
    return url.require_address(named, "an npm registry")
