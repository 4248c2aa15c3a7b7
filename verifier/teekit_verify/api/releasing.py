"""Releases of a checkout, or of a folder of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild.project import Project
from teekit_verify.reference import releases
from teekit_verify.reference.cyclonedx import Ingredient, Origin, bill_of_materials
from teekit_verify.reference.releases import Releases
from teekit_verify.reference.signing.keys import load_trusted_keys

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from teekit_verify.documents.model import Package, Reference
    from teekit_verify.rebuild.lock import LockedPackage

_NPM = "npm"


def releases_folder(checkout: Path | None = None) -> Path:
    """`reference/releases` of the checkout. Raises TeekitError outside of one."""
    return Project.find(checkout).references / "releases"


def known_releases(
    folder: Path | None = None,
    *,
    name: str | None = None,
    checkout: Path | None = None,
    trusted_keys: Path | None = None,
    on: date | None = None,
) -> Releases:
    """All releases of `folder`, by default `reference/releases` of the checkout; with `name`, that one.

    `trusted_keys` (a folder of OWNER.pem) asks who signed them, `on` is the day for that. One that cannot be read is listed as damaged.
    Raises TeekitError outside of a checkout, for a `name` that is not there or cannot be read, and for keys that cannot be read.
    """
    trusted = None if trusted_keys is None else load_trusted_keys(trusted_keys)
    place = folder or releases_folder(checkout)
    if name is None:
        return releases.list_releases(place, trusted, on)
    return Releases(str(place), (releases.find_release(place, name, trusted, on),), trusted is not None)


@dataclass(frozen=True, slots=True)
class BillOfMaterials:
    """`data` is a document of CycloneDX 1.6. `has_environment`: whether the packages of the build environment are in it."""

    data: bytes
    has_environment: bool


def release_materials(name: str, folder: Path | None = None, *, checkout: Path | None = None) -> BillOfMaterials:
    """What a release is made of: its artifacts, packages and source files, of its reference file; the environment's packages, of the lock
    in the checkout with the digest that the reference names. `folder` as for `known_releases`.

    Raises TeekitError for a name that is not there, for files that cannot be read, and for a release that disagrees with itself.
    """
    project = Project.find(checkout)
    known = releases.find_release(folder or project.references / "releases", name)
    if known.disagreements:
        said = ", ".join(item.value for item in known.disagreements)
        raise TeekitError(
            f"the release {name} and its reference file disagree: {said}",
            hint="Run `teekit-verify release show` on it.",
        )
    environment = _environment_of(project, known.reference)
    origin = Origin(name, known.sha256, known.release.repository, known.release.withdrawn)
    image = tuple(map(_of_image, known.reference.inputs.packages))
    return BillOfMaterials(
        bill_of_materials(origin, known.reference, image, tuple(map(_of_lock, environment))), bool(environment)
    )


def _environment_of(project: Project, reference: Reference) -> tuple[LockedPackage, ...]:
    """Of the lock in the checkout that the release was built with; none where it has only others."""
    wanted = reference.inputs.environment.lock_sha256
    return next((item.packages for item in project.environments().values() if item.digest() == wanted), ())


def _of_image(item: Package) -> Ingredient:
    """A reference does not say from which archive a package is. All of npm's that images have are platform builds, in a scope: `@NAME/`."""
    return Ingredient(item.name, item.version, item.architecture, item.sha256.hex, item.name.startswith("@"))


def _of_lock(item: LockedPackage) -> Ingredient:
    return Ingredient(item.name, item.version, item.architecture, item.sha256, item.archive == _NPM)
