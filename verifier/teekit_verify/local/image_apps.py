"""Apps that manifests say are in the image: whether they are, known before minutes of booting."""

from __future__ import annotations

import hashlib
import stat
from typing import TYPE_CHECKING, Any

from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.initrd import read_initrd
from teekit_verify.artifacts.uki import open_uki
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.plain_json import load_plain
from teekit_verify.core.url import path_of_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from teekit_verify.core.progress import Progress

IMAGE_MANIFEST = "/usr/lib/kettle/manifest.json"
"""What runs where the metadata has no manifest."""
_HINT = "Run it with --app kettle-artifacts/app.js, or build the image with it: KETTLE_SRC=DIR make build"


def require_apps_of_image(manifests: Sequence[bytes], uki: Path, progress: Progress) -> None:
    """Raise TeekitError where no manifest can start a kettle, as each names a file the image does not have so.

    Where some can, the others are said to the user. What is no manifest at all is the guest's to refuse.
    """
    named = [(number, *found) for number, manifest in enumerate(manifests) if (found := _file_of(manifest))]
    if not named:
        return
    there = _digests(uki, {path for _, path, _ in named})
    wrong = [_reason(number, path, sha256, there) for number, path, sha256 in named if there.get(path) != sha256]
    if wrong and len(wrong) == len(manifests):
        raise TeekitError(wrong[0], hint=_HINT)
    for reason in wrong:
        progress.note(f"warning: {reason}")


def _reason(number: int, path: str, sha256: str, there: Mapping[str, str]) -> str:
    found = f"has SHA-256 {there[path]}" if path in there else "is not in the image"
    return f"manifest {number} names {path} with SHA-256 {sha256}, which {found}"


def _file_of(manifest: bytes) -> tuple[str, str] | None:
    """Path and SHA-256 where the app is a `file:` URL."""
    try:
        fields: Any = load_plain(manifest)
        app, sha256 = fields["app"], fields["sha256"]
        path = path_of_file(app)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    if path is None or not isinstance(sha256, str):
        return None
    return path, sha256.lower()


def file_of_image(uki: Path, path: str) -> bytes:
    """Its content in the initrd. Of two with one name the last counts, as for Linux. Raises TeekitError."""
    found: bytes | None = None
    with open_uki(uki) as image, uki.open("rb") as stream:
        for section in image.named(".initrd"):
            initrd = Blob.of(stream.fileno()).part(section.content.start, section.virtual_size)
            for _, entry, reader in read_initrd(initrd):
                if "/" + entry.name.lstrip("./") == path and stat.S_ISREG(entry.mode):
                    found = b"".join(reader.content())
    if found is None:
        raise TeekitError(f"the image has no {path}")
    return found


def _digests(uki: Path, paths: set[str]) -> dict[str, str]:
    """SHA-256 of these files in the initrd, those that are there. Of two with one name the last counts, as for Linux."""
    found: dict[str, str] = {}
    with open_uki(uki) as image, uki.open("rb") as stream:
        for section in image.named(".initrd"):
            initrd = Blob.of(stream.fileno()).part(section.content.start, section.virtual_size)
            for _, entry, reader in read_initrd(initrd):
                path = "/" + entry.name.lstrip("./")
                if path in paths and stat.S_ISREG(entry.mode):
                    digest = hashlib.sha256()
                    for piece in reader.content():
                        digest.update(piece)
                    found[path] = digest.hexdigest()
    return found
