"""The files behind locks, from archives of inputs: packages to look into, and the signed index that is a lock's evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import DocumentError, DownloadError, RemoteFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from teekit_verify.core.download import DownloadStore
    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.inputs_places import Place
    from teekit_verify.rebuild.lock import LockedPackage, PackageLock

_MAX_EVIDENCE_BYTES = 256 << 20


def changed(old: PackageLock, new: PackageLock) -> list[LockedPackage]:
    """The packages whose bytes only one lock names."""
    digests = {item.sha256 for item in old.packages} ^ {item.sha256 for item in new.packages}
    return [item for item in (*old.packages, *new.packages) if item.sha256 in digests]


def bring_packages(
    packages: Iterable[LockedPackage], places: Sequence[Place], store: DownloadStore, progress: Progress
) -> None:
    """Those that an archive has, into the store. What none has is passed over: whoever needs it finds it missing there."""
    files = [
        RemoteFile(
            f"package {item.name} {item.version}",
            item.size_bytes,
            item.digest,
            tuple(place.blob(item.digest) for place in places),
        )
        for item in packages
    ]
    _bring(files, places, store, progress, f"fetch the {len(files)} packages that changed")


def bring_evidence(locked: PackageLock, places: Sequence[Place], store: DownloadStore, progress: Progress) -> None:
    """The files of a lock's evidence, as `bring_packages`. A lock names no sizes: the archive says them."""
    files = []
    for item in locked.evidence:
        for what, hex_ in (("InRelease", item.inrelease_sha256), ("Packages", item.packages_sha256)):
            digest = Digest.from_hex(Algorithm.SHA256, hex_)
            for place in () if store.path(digest).is_file() else places:
                try:
                    size_bytes = store.size_of(place.blob(digest), most_bytes=_MAX_EVIDENCE_BYTES)
                except DocumentError:
                    continue
                files.append(RemoteFile(f"{what} of {item.suite}", size_bytes, digest, (place.blob(digest),)))
                break
    _bring(files, places, store, progress, "fetch the signed index")


def _bring(
    files: Sequence[RemoteFile], places: Sequence[Place], store: DownloadStore, progress: Progress, step: str
) -> None:
    if not files or not places:
        return
    with progress.step(step):
        try:
            store.fetch(files, progress=progress.count)
        except DownloadError as error:
            progress.note(f"{len(error.missing)} of them are in no archive that was named")
