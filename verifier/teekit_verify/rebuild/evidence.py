"""What a lock's packages rest on: the signed index of Debian's archive, kept when a lock is made, and read again by anybody.

Debian Policy names no format; the Debian wiki's "DebianRepository/Format" does: InRelease is a clear-signed Release file, which
has the SHA-256 of each Packages file, which has that of each package.
"""

from __future__ import annotations

import io
import re
import tempfile
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
from teekit_verify.core.files import opened, read_bounded, write_whole
from teekit_verify.rebuild import archive, other_sources, programs
from teekit_verify.rebuild.lock import ComponentIndex, IndexEvidence, LockedRepository
from teekit_verify.rebuild.suites import Suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.core.download import DownloadStore
    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.archive import Index
    from teekit_verify.rebuild.lock import LockedPackage, PackageLock
    from teekit_verify.rebuild.repositories import Repository
    from teekit_verify.rebuild.suites import Archive

_INDEX = "binary-amd64/Packages"
_ENDINGS = (".xz", ".gz", "")
_MAX_RELEASE_BYTES = 8 << 20
_MAX_INDEX_BYTES = 1 << 30
_MAX_LINE_BYTES = 1 << 20
_SECONDS = 60
_BOUNDS = (f"--as={1 << 30}", f"--fsize={_MAX_RELEASE_BYTES}", "--cpu=60")
_KEYRING = "/keyring.gpg"  # its place in the sandbox
# What gpgv says, a zero, and what is signed. A signature of a key that the keyring lacks makes its status 2, whatever the others are.
_CHECK = """\
cd /tmp && cat >release || exit
gpgv --homedir /tmp --keyring "$1" --status-fd 1 --output text release || [ $? -le 2 ] || exit
printf '\\0' && { [ ! -f text ] || cat text; }
"""
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


@dataclass(frozen=True, slots=True)
class _Signed:
    """What gpgv says of an InRelease file; `text` is what was signed, and nothing around it."""

    text: str
    signers: tuple[str, ...]
    has_expired_key: bool


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
        ending, digest, size_bytes = _best_index(release.decode("utf-8", "replace"), suite, f"{component}/{_INDEX}")
        folder = f"{base.rstrip('/')}/dists/{suite}/{component}/{_INDEX}"
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
                inrelease_sha256=_put(release, store),
                packages_sha256=file.digest.hex,
                component=component,
            )
        )
    return tuple(kept)


def keep_others(
    index: Index, packages: Iterable[LockedPackage], store: DownloadStore, progress: Progress
) -> tuple[LockedRepository, ...]:
    """The same of the repositories that are not Debian's, with their keys. Raises ArchiveError for one that its key did not sign."""
    replaced = index.replaced(tuple(packages))
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
    signed = _signed_by(release, one.key)
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
        key_sha256=_put(one.key, store),
        fingerprints=one.fingerprints,
        signers=tuple(dict.fromkeys(signed.signers)),
        inrelease_sha256=_put(release, store),
        indexes=tuple(
            ComponentIndex(component=component, packages_sha256=file.digest.hex)
            for component, file in zip(one.components or ("",), files, strict=True)
        ),
        replaced=replaced,
    )


def _index_file(one: Repository, release: str, component: str) -> RemoteFile:
    path = f"{component}/{_INDEX}" if component else "Packages"
    ending, digest, size_bytes = _best_index(release, one.suite, path)
    if size_bytes > _MAX_INDEX_BYTES:
        raise archive.ArchiveError(
            f"the index of {one.address} {one.suite} has {size_bytes} bytes", hint="Do not use this repository."
        )
    folder = f"{one.index}/{path}".removesuffix("Packages")
    by_digest = f"{folder}by-hash/SHA256/{digest.hex}"
    return RemoteFile(
        f"index of {one.address} {one.suite}", size_bytes, digest, (f"{folder}Packages{ending}", by_digest)
    )


def _put(content: bytes, store: DownloadStore) -> str:
    digest = Digest.of(Algorithm.SHA256, content)
    store.path(digest).parent.mkdir(parents=True, exist_ok=True)
    write_whole(store.path(digest), content)
    return digest.hex


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


def _best_index(release: str, suite: str, path: str) -> tuple[str, Digest, int]:
    """(ending, digest, bytes) of the smallest form of the index."""
    listed = _listed_files(release)
    for ending in _ENDINGS:
        if (found := listed.get(path + ending)) is not None:
            return ending, *found
    raise archive.ArchiveError(f"the signed Release file of {suite} names no {path}")


def _listed_files(release: str) -> dict[str, tuple[Digest, int]]:
    """Path -> digest and size, of the field SHA256."""
    block = re.search(r"^SHA256:[ \t]*\n((?: [^\n]*\n)+)", release, re.MULTILINE)
    rows = re.findall(r"^ ([0-9a-f]{64}) +([0-9]{1,15}) (\S+)$", block[1] if block else "", re.MULTILINE)
    return {path: (Digest.from_hex(Algorithm.SHA256, digest), int(size)) for digest, size, path in rows}


def check(lock: PackageLock, store: DownloadStore) -> LockCheck:
    """Follow each of Debian's packages to the signature. Raises EvidenceError where evidence is missing, TeekitError."""
    _require_files(lock, store)
    if not archive.KEYRING.exists():
        raise EvidenceError(f"the archive's keyring {archive.KEYRING} is missing", hint="Run scripts/setup_deps.sh.")
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
    signed = _signed(read_bounded(release, _MAX_RELEASE_BYTES, "an InRelease file"), archive.KEYRING)
    if signed is None:
        return IndexFact(item.archive, item.suite, None, (), has_expired_key=False, doubt=Doubt.NOT_SIGNED), None
    fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", signed.text, re.MULTILINE))
    wanted = {f"{item.component}/{_INDEX}{ending}" for ending in _ENDINGS}
    listed = {digest.hex for path, (digest, _) in _listed_files(signed.text).items() if path in wanted}
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


def _signed_by(message: bytes, key: bytes) -> _Signed | None:
    """As `_signed`, for a key that is in no file yet."""
    with tempfile.TemporaryDirectory(prefix="teekit-key-") as folder:
        place = Path(folder) / "key.gpg"
        place.write_bytes(key)
        programs.opened_up(place.parent)
        return _signed(message, place)


def _signed(message: bytes, keyring: Path) -> _Signed | None:
    """What is signed by a key of the keyring; None if nothing is.

    A key may have expired since (the signature is of the day of the Release file), but none may be revoked, and a signature that
    is bad spoils all. Those of keys that the keyring does not have are passed over: newer archives sign with newer keys too.
    """
    if not _is_one_message(message):
        return None
    said = programs.run(
        ["sh", "-c", _CHECK, "sh", _KEYRING],
        bounds=_BOUNDS,
        timeout_seconds=_SECONDS,
        reads={_KEYRING: keyring},
        stdin=message,
        most_bytes=2 * _MAX_RELEASE_BYTES,
    ).stdout
    status, _, content = said.partition(b"\0")
    states = re.findall(rb"^\[GNUPG:\] ([A-Z]+)(?: ([0-9A-F]+))?", status, re.MULTILINE)
    names = {name for name, _ in states}
    signers = tuple(value.decode() for name, value in states if name == b"VALIDSIG")
    if not signers or not names & {b"GOODSIG", b"EXPKEYSIG"} or names & {b"BADSIG", b"REVKEYSIG", b"EXPSIG"}:
        return None
    return _Signed(content.decode("utf-8", "replace"), signers, b"EXPKEYSIG" in names)


def _is_one_message(data: bytes) -> bool:
    """One clear-signed text and its signatures (RFC 9580, 7). gpgv joins the texts of several, of which one may be unsigned."""
    headings = re.findall(rb"^-----BEGIN[^\n]*", data, re.MULTILINE)
    expected = [b"-----BEGIN PGP SIGNED MESSAGE-----", b"-----BEGIN PGP SIGNATURE-----"]
    return [line.rstrip() for line in headings] == expected and data.startswith(expected[0])


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
        return io.BufferedReader(Unpacked(blob, Budget(_MAX_INDEX_BYTES), "Packages"), 1 << 18)
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
