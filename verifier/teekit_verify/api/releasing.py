"""Releases of a checkout, or of a folder of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.rebuild.project import Project
from teekit_verify.reference import releases
from teekit_verify.reference.releases import Releases
from teekit_verify.reference.signing.keys import load_trusted_keys

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path


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
