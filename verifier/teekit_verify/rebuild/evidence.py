"""What a lock's packages rest on: the signed index of Debian's archive, kept when a lock is made, and read again by anybody.

Debian Policy names no format; the Debian wiki's "DebianRepository/Format" does: InRelease is a clear-signed Release file, which
has the SHA-256 of each Packages file, which has that of each package.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.compressed import Budget, Unpacked
from teekit_verify.core.digest import Algorithm, Digest, digest_file
from teekit_verify.core.download import RemoteFile
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import opened, read_bounded
from teekit_verify.rebuild import apt_root, archive, other_sources, signed_index
from teekit_verify.rebuild.lock import IndexEvidence
from teekit_verify.rebuild.suites import Suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.core.download import DownloadStore
    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.archive import Index
    from teekit_verify.rebuild.lock import LockedPackage, PackageLock
    from teekit_verify.rebuild.suites import Archive

_MAX_LINE_BYTES = 1 << 20
_LISTED_FIELDS = frozenset({b"Package", b"Version", b"Architecture", b"Filename", b"Size", b"SHA256"})


class EvidenceError(TeekitError):
    """A lock names no evidence, or the files that it names are not here."""


class Doubt(Enum):
    """Why a lock is not shown to be Debian's. The value is for programs."""

    NOT_SIGNED = "not_signed"
    OTHER_SUITE = "other_suite"
    NO_DATE = "no_date"
    INDEX_NOT_IN_RELEASE = "index_not_in_release"
    NO_INDEX_OF_ARCHIVE = "no_index_of_archive"
    NOT_LISTED = "not_listed"
    OTHER_BYTES = "other_bytes"


@dataclass(frozen=True, slots=True)
class IndexFact:
    """One suite's index. `signers` are the fingerprints of the keys whose signature is good; `date` is the Release file's own."""

    archive: Archive
    suite: str
    date: datetime | None
    signers: tuple[str, ...]
    has_expired_key: bool
    doubt: Doubt | None


@dataclass(frozen=True, slots=True)
class PackageDoubt:
    name: str
    version: str
    architecture: str
    doubt: Doubt


@dataclass(frozen=True, slots=True)
class LockCheck:
    """`listed` packages are in a signed index with their very bytes. `npm` ones are not Debian's: nothing is said of them."""

    indexes: tuple[IndexFact, ...]
    listed: int
    doubts: tuple[PackageDoubt, ...]
    npm: int

    @property
    def holds(self) -> bool:
        return bool(self.listed) and not self.doubts and all(index.doubt is None for index in self.indexes)


def keep(index: Index, store: DownloadStore, progress: Progress) -> tuple[IndexEvidence, ...]:
    """Put the index that apt has checked into the store: InRelease as apt has it, Packages from the same mirror by its digest."""
    found = sorted(
        (name, suite, component, base, _release_of(index, suite))
        for name, base in index.bases
        for of, suite in index.suites
        if of == name
        for component in index.suite.components
    )
    files = []
    for name, suite, component, base, release in found:
        ending, digest, size_bytes = signed_index.best_index(
            release.decode("utf-8", "replace"), suite, f"{component}/{signed_index.INDEX}"
        )
        folder = f"{base.rstrip('/')}/dists/{suite}/{component}/{signed_index.INDEX}"
        by_digest = f"{folder.removesuffix('Packages')}by-hash/SHA256/{digest.hex}"
        files.append(RemoteFile(f"index of {name} {suite}", size_bytes, digest, (by_digest, f"{folder}{ending}")))
    with progress.step("keep the signed index as evidence"):
        store.fetch(files)
    kept = []
    for (name, suite, component, _, release), file in zip(found, files, strict=True):
        kept.append(
            IndexEvidence(
                archive=name,
                suite=suite,
                inrelease_sha256=signed_index.put(release, store),
                packages_sha256=file.digest.hex,
                component=component,
            )
        )
    return tuple(kept)


def _release_of(index: Index, suite: str) -> bytes:
    others = {other_sources.kept_name(one) for one in index.repositories}
    found = [
        place for place in sorted((index.root / "lists").glob(f"*_dists_{suite}_InRelease")) if place.name not in others
    ]
    if len(found) != 1:
        raise archive.ArchiveError(
            f"apt kept {len(found)} InRelease files of {suite}, expected 1",
            hint="Name a mirror that has InRelease files with --mirror URL.",
        )
    return archive.read_release(found[0])


def check(lock: PackageLock, store: DownloadStore) -> LockCheck:
    """Follow each of Debian's packages to the signature. Raises EvidenceError where evidence is missing, TeekitError."""
    _require_files(lock, store)
    if not apt_root.KEYRING.exists():
        raise EvidenceError(f"the archive's keyring {apt_root.KEYRING} is missing", hint="Run scripts/setup_deps.sh.")
    packages = [package for package in lock.packages if package.archive != "npm"]
    facts, listings = [], []
    for item in lock.evidence:
        fact, index = _check_index(item, Suite(lock.suite), store)
        facts.append(fact)
        if fact.doubt is None and index is not None:
            listings.append((item.archive, _listed(index, {package.name for package in packages})))
    doubts = [
        PackageDoubt(package.name, package.version, package.architecture, doubt)
        for package in packages
        if (doubt := _doubt(package, listings)) is not None
    ]
    return LockCheck(tuple(facts), len(packages) - len(doubts), tuple(doubts), npm=len(lock.packages) - len(packages))


def _require_files(lock: PackageLock, store: DownloadStore) -> None:
    if not lock.evidence:
        raise EvidenceError(
            "the lock names no evidence: it was made before the signed index was kept",
            hint="Make a new lock with `teekit-verify lock` or `teekit-verify env lock`.",
        )
    missing = [
        f"{what} of {item.suite} ({digest})"
        for item in lock.evidence
        for what, digest in (("InRelease", item.inrelease_sha256), ("Packages", item.packages_sha256))
        if not _is_whole(store, Digest.from_hex(Algorithm.SHA256, digest))
    ]
    if missing:
        place = store.path(Digest.from_hex(Algorithm.SHA256, lock.evidence[0].inrelease_sha256)).parent
        raise EvidenceError(
            f"{len(missing)} files of the lock's evidence are not here: {', '.join(missing)}",
            hint=f"Ask who made the lock for them, and put them into {place}, named by their SHA-256.",
        )


def _is_whole(store: DownloadStore, digest: Digest) -> bool:
    path = store.path(digest)
    return path.is_file() and digest_file(path, digest.algorithm) == digest


def _check_index(item: IndexEvidence, suite: Suite, store: DownloadStore) -> tuple[IndexFact, Path | None]:
    release = store.path(Digest.from_hex(Algorithm.SHA256, item.inrelease_sha256))
    signed = signed_index.signed(
        read_bounded(release, signed_index.MAX_RELEASE_BYTES, "an InRelease file"), apt_root.KEYRING
    )
    if signed is None:
        return IndexFact(item.archive, item.suite, None, (), has_expired_key=False, doubt=Doubt.NOT_SIGNED), None
    fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", signed.text, re.MULTILINE))
    wanted = {f"{item.component}/{signed_index.INDEX}{ending}" for ending in signed_index.ENDINGS}
    listed = {digest.hex for path, (digest, _) in signed_index.listed_files(signed.text).items() if path in wanted}
    date, doubt = _date(fields.get("Date", "")), None
    if item.suite not in {fields.get("Codename"), fields.get("Suite")} or item.suite not in suite.of(item.archive):
        doubt = Doubt.OTHER_SUITE
    elif date is None:
        doubt = Doubt.NO_DATE
    elif item.packages_sha256 not in listed:
        doubt = Doubt.INDEX_NOT_IN_RELEASE
    fact = IndexFact(item.archive, item.suite, date, signed.signers, signed.has_expired_key, doubt)
    return fact, store.path(Digest.from_hex(Algorithm.SHA256, item.packages_sha256))


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


_Row = dict[bytes, bytes]


def _listed(index: Path, names: set[str]) -> dict[str, list[_Row]]:
    """The index's records of these packages, by name."""
    found: defaultdict[str, list[_Row]] = defaultdict(list)
    with opened(index) as stream:
        for row in _records(_plain(Blob.of(stream.fileno()))):
            name = row.get(b"Package", b"").decode("utf-8", "replace")
            if name in names:
                found[name].append(row)
    return dict(found)


def _plain(blob: Blob) -> io.BufferedReader:
    if blob.read(0, 8).startswith((b"\xfd7zXZ\0", b"\x1f\x8b")):
        return io.BufferedReader(Unpacked(blob, Budget(signed_index.MAX_INDEX_BYTES), "Packages"), 1 << 18)
    return blob.stream()


def _records(lines: io.BufferedReader) -> Iterator[_Row]:
    row: _Row = {}
    while line := lines.readline(_MAX_LINE_BYTES):
        name, found, value = line.rstrip(b"\n").partition(b": ")
        if found and name in _LISTED_FIELDS:
            row[name] = value
        elif not line.strip():
            yield row
            row = {}
    yield row


def _doubt(package: LockedPackage, listings: Iterable[tuple[Archive, dict[str, list[_Row]]]]) -> Doubt | None:
    """Debian's indexes list a package once for each version."""
    of_archive = [listing for name, listing in listings if name == package.archive]
    if not of_archive:
        return Doubt.NO_INDEX_OF_ARCHIVE
    identity = (package.version.encode(), package.architecture.encode())
    rows = [
        row
        for listing in of_archive
        for row in listing.get(package.name, [])
        if (row.get(b"Version"), row.get(b"Architecture")) == identity
    ]
    bytes_ = (package.path.encode(), str(package.size_bytes).encode(), package.sha256.encode())
    if any((row.get(b"Filename"), row.get(b"Size"), row.get(b"SHA256")) == bytes_ for row in rows):
        return None
    return Doubt.OTHER_BYTES if rows else Doubt.NOT_LISTED
