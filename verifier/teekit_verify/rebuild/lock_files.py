"""The files behind locks, from archives of inputs: packages to look into, and the signed index that is a lock's evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import DownloadError, LocalError, RemoteFile
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild.suites import MAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from teekit_verify.core.download import DownloadStore
    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.inputs_places import Place
    from teekit_verify.rebuild.lock import LockedPackage, PackageLock
    from teekit_verify.rebuild.suites import Archive, Component

_MAX_EVIDENCE_BYTES = 256 << 20
_Kind = Literal["InRelease", "Packages"]
_IN_RELEASE: Literal["InRelease"] = "InRelease"
_PACKAGES: Literal["Packages"] = "Packages"
_BY_HASH = "binary-amd64/by-hash/SHA256"


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


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """One file of the signed index that a lock names: of which archive, suite and component, what it is, its digest."""

    archive: Archive
    suite: str
    kind: _Kind
    digest: Digest
    component: Component = MAIN

    @property
    def title(self) -> str:
        return f"{self.archive} {self.suite} {self.kind}"

    def addresses(self, bases: Iterable[tuple[str, str]]) -> Iterator[str]:
        """Where a mirror has it: Packages by its digest, InRelease only until the next one."""
        for name, base in bases:
            if name == self.archive:
                folder = f"{base.rstrip('/')}/dists/{self.suite}"
                yield f"{folder}/{_IN_RELEASE if self.kind == _IN_RELEASE else f'{self.component}/{_BY_HASH}/{self.digest.hex}'}"


def evidence_files(*locks: PackageLock) -> list[EvidenceFile]:
    """Each once, in the order of the locks."""
    found: dict[Digest, EvidenceFile] = {}
    for item in (item for locked in locks for item in locked.evidence):
        for kind, hex_ in (_IN_RELEASE, item.inrelease_sha256), (_PACKAGES, item.packages_sha256):
            digest = Digest.from_hex(Algorithm.SHA256, hex_)
            found.setdefault(digest, EvidenceFile(item.archive, item.suite, kind, digest, item.component))
    return list(found.values())


def bring_evidence(
    locked: PackageLock,
    places: Sequence[Place],
    store: DownloadStore,
    progress: Progress,
    bases: Sequence[tuple[str, str]] = (),
) -> list[EvidenceFile]:
    """Those files of a lock's evidence that nobody has; the others are in the store. A lock names no sizes: the source says them."""
    wanted = [file for file in evidence_files(locked) if not store.path(file.digest).is_file()]
    if not wanted or not (places or bases):
        return wanted
    with progress.step(f"fetch {len(wanted)} files of the signed index"):
        return [file for file in wanted if not _had(file, places, store, bases)]


def _had(file: EvidenceFile, places: Sequence[Place], store: DownloadStore, bases: Sequence[tuple[str, str]]) -> bool:
    for address in (*(place.blob(file.digest) for place in places), *file.addresses(bases)):
        try:
            size_bytes = store.size_of(address, most_bytes=_MAX_EVIDENCE_BYTES)
            store.fetch([RemoteFile(file.title, size_bytes, file.digest, (address,))])
        except LocalError:
            raise
        except TeekitError:
            continue
        return True
    return False


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
