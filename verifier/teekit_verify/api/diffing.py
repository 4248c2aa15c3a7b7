"""Two publications side by side: `release diff`, and `compare` with two references."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.appraisal import publications
from teekit_verify.appraisal.publications import Publication
from teekit_verify.core.errors import TeekitError
from teekit_verify.documents.load import load_reference
from teekit_verify.documents.release import load_release, read_release, release_beside
from teekit_verify.rebuild.project import Project
from teekit_verify.reference import formats
from teekit_verify.reference.formats import load_published

if TYPE_CHECKING:
    from teekit_verify.appraisal.publications import PublicationDiff
    from teekit_verify.documents.release import Release
    from teekit_verify.reference.google_signature import TrustedRoot


_SUFFIXES = (".json", ".pcrlock", ".binarypb", ".cbor", ".yaml")
"""What is named like this is a file, and not the name of a release."""


def diff_publications(
    old: str | Path, new: str | Path, *, checkout: Path | None = None, root: TrustedRoot | None = None
) -> PublicationDiff:
    """What changed from one publication to another, and why registers moved.

    Each is a file of reference values of any format, a folder with release.json, or the name of a release of the checkout (None: the
    working directory's). `root` is for files that Google signs.

    Raises TeekitError for what cannot be read, and NotComparableError for publications of different things.
    """
    return publications.compare(_load(old, checkout, root), _load(new, checkout, root))


def _load(given: str | Path, checkout: Path | None, root: TrustedRoot | None) -> Publication:
    path = Path(given)
    release: Release | None
    if path.is_dir():
        if not (path / "release.json").is_file():
            raise TeekitError(
                f"{path} is a folder without release.json",
                hint="Name a file of reference values, or compare reports with `lock diff --reports`.",
            )
        release, file = read_release(path / "release.json")
    elif path.exists() or "/" in str(given) or path.suffix in _SUFFIXES:
        file, release = path, release_beside(path)
    else:
        release, file = load_release(Project.find(checkout).references / "releases", str(given))
    published = load_published(file, root)
    own = load_reference(file) if published.format == formats.native.FORMAT.name else None
    return Publication(str(given), published, own, release)
