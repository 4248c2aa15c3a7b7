"""Locks of packages, and archives of what a rebuild needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.api.providing import release_commit, release_subject
from teekit_verify.core.download import DownloadStore, Network
from teekit_verify.core.files import create_folder
from teekit_verify.rebuild import (
    effect,
    evidence,
    images,
    inputs_archive,
    inputs_places,
    lock,
    lock_diff,
    lock_files,
    proxies,
)
from teekit_verify.rebuild.oci_layout import Layout
from teekit_verify.record import sides

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.evidence import LockCheck
    from teekit_verify.rebuild.inputs_archive import Checked, Created
    from teekit_verify.rebuild.lock import LockedPackage, PackageLock
    from teekit_verify.rebuild.lock_diff import LockDiff
    from teekit_verify.rebuild.provision import Provision


def diff_locks(
    old: Path,
    new: Path,
    cache: Path,
    progress: Progress,
    *,
    reports: tuple[Path, Path] | None = None,
    inputs: Sequence[str] = (),
) -> LockDiff:
    """What changed between two locks. `reports`: two reports made with them, or reference files, for what the change did to the image.

    `cache` holds packages and evidence; what it lacks is read from `inputs`, archives by folder, address or oci://HOST/NAME.

    Raises TeekitError for files that cannot be read, and for reports of other locks.
    """
    locks = lock.load(old), lock.load(new)
    both = None if reports is None else (sides.load(reports[0]), sides.load(reports[1]))
    if both is not None:
        effect.require_locks(locks, both)
    store = _filled(inputs, locks[1], lock_files.changed(*locks), cache, progress)
    found = lock_diff.compare(*locks, store)
    return found if both is None else lock_diff.with_effect(found, effect.compare(*both, store))


def check_lock(file: Path, cache: Path, progress: Progress, *, inputs: Sequence[str] = ()) -> LockCheck:
    """Follow every package of a lock to Debian's signature; `cache` and `inputs` as for `diff_locks`. Raises TeekitError."""
    locked = lock.load(file)
    return evidence.check(locked, _filled(inputs, locked, (), cache, progress))


def _filled(
    inputs: Sequence[str],
    evidence_of: PackageLock,
    packages: Sequence[LockedPackage],
    cache: Path,
    progress: Progress,
) -> DownloadStore:
    """The download cache, with what it lacks from archives of inputs."""
    places = tuple(map(inputs_places.parse, inputs))
    store = DownloadStore(cache / "downloads", Network(proxies.proxies()) if places else None)
    if places:
        lock_files.bring_evidence(evidence_of, places, store, progress)
        lock_files.bring_packages(packages, places, store, progress)
    return store


@dataclass(frozen=True, slots=True)
class FetchedPackages:
    """What is in the cache now, checked, and the digest of the part of the lock that names it (SHA-256, hexadecimal)."""

    packages: tuple[LockedPackage, ...]
    lock_sha256: str


def fetch_release(bringing: Provision, release: str, *, repository: str | None = None) -> FetchedPackages:
    """Bring all that the rebuild of a release needs: environment, packages and source. Uses the network; raises TeekitError."""
    with release_subject(bringing, release, repository) as subject:
        packages = tuple(inputs_archive.fetch_all(subject))
        return FetchedPackages(packages, inputs_archive.locks_of(subject)[1].digest_for(subject.target.key).hex)


def fetch_image(
    bringing: Provision, image: str, profiles: Sequence[str], *, lock_file: Path | None = None
) -> FetchedPackages:
    """Bring the locked packages of an image of the checkout. Uses the network.

    Raises TeekitError for an image or profile that there is not, and for packages that are gone or differ.
    """
    locked = lock.load(lock_file or bringing.project.image_lock)
    key = images.find_target(image, tuple(profiles)).key
    packages = locked.for_target(key)
    bringing.fetch(locked, packages)
    return FetchedPackages(tuple(packages), locked.digest_for(key).hex)


def create_archive(
    bringing: Provision, release: str, folder: Path, *, repository: str | None = None, wheels: Path | None = None
) -> Created:
    """Put all that a release needs into an archive of inputs. `wheels`: a folder with what its requirements.lock names, to put in too.

    Raises TeekitError for what cannot be had.
    """
    with release_subject(bringing, release, repository) as subject:
        return inputs_archive.create(subject, release, Layout(folder), wheels)


def check_archive(place: str, cache: Path, *, release: str | None = None, checkout: Path | None = None) -> Checked:
    """Every file of an archive against its manifest, and that against the locks of its commit; of one release, or of all in it.

    `place`: a folder, an address or oci://HOST/NAME[:TAG]. Raises TeekitError for an archive that cannot be read.
    """
    commit = None if release is None else release_commit(checkout, release)
    create_folder(cache)
    return inputs_archive.check(inputs_places.parse(place), release, commit, cache)


def prune_archive(folder: Path) -> tuple[int, int]:
    """Remove the files that no release in an archive needs: how many, and their bytes."""
    removed = Layout(folder).prune()
    return len(removed), sum(size for _, size in removed)
