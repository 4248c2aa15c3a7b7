"""What a lock keeps of repositories that are not Debian's: their signed indexes and their keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.download import RemoteFile
from teekit_verify.rebuild import archive, other_sources, signed_index
from teekit_verify.rebuild.lock import ComponentIndex, LockedRepository

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.core.download import DownloadStore
    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.archive import Index
    from teekit_verify.rebuild.lock import LockedPackage
    from teekit_verify.rebuild.repositories import Repository


def keep(
    index: Index, packages: Iterable[LockedPackage], store: DownloadStore, progress: Progress
) -> tuple[LockedRepository, ...]:
    """Put the index of each, and its key, into the store. Raises ArchiveError for one that its key did not sign."""
    replaced = other_sources.replaced(index.root, index.bases, index.repositories, packages)
    kept = []
    for one in index.repositories:
        place = index.root / "lists" / other_sources.kept_name(one)
        if not place.is_file():
            raise archive.ArchiveError(
                f"{one.address} {one.suite} has no InRelease file",
                hint="Ask its owner for one; Release.gpg is not read.",
            )
        kept.append(_keep_other(one, archive.read_release(place), replaced[one.name], store, progress))
    return tuple(kept)


def _keep_other(
    one: Repository, release: bytes, replaced: tuple[str, ...], store: DownloadStore, progress: Progress
) -> LockedRepository:
    signed = signed_index.signed_by(release, one.key)
    if signed is None:  # apt has said so already
        raise archive.ArchiveError(
            f"{one.address} {one.suite} is not signed by the key that was given for it",
            hint="Do not use this repository.",
        )
    files = [_index_file(one, signed.text, component) for component in one.components or ("",)]
    with progress.step(f"keep the signed index of {one.address}"):
        store.fetch(files)
    return LockedRepository(
        name=one.name,
        address=one.address,
        suite=one.suite,
        components=one.components,
        key_from=one.key_from.value,
        key_sha256=signed_index.put(one.key, store),
        fingerprints=one.fingerprints,
        signers=tuple(dict.fromkeys(signed.signers)),
        inrelease_sha256=signed_index.put(release, store),
        indexes=tuple(
            ComponentIndex(component=component, packages_sha256=file.digest.hex)
            for component, file in zip(one.components or ("",), files, strict=True)
        ),
        replaced=replaced,
    )


def _index_file(one: Repository, release: str, component: str) -> RemoteFile:
    path = f"{component}/{signed_index.INDEX}" if component else "Packages"
    ending, digest, size_bytes = signed_index.best_index(release, one.suite, path)
    if size_bytes > signed_index.MAX_INDEX_BYTES:
        raise archive.ArchiveError(
            f"the index of {one.address} {one.suite} has {size_bytes} bytes", hint="Do not use this repository."
        )
    folder = f"{one.index}/{path}".removesuffix("Packages")
    by_digest = f"{folder}by-hash/SHA256/{digest.hex}"
    return RemoteFile(
        f"index of {one.address} {one.suite}", size_bytes, digest, (f"{folder}Packages{ending}", by_digest)
    )
