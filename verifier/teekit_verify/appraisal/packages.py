"""Whether others reproduced the packages that went in: locked packages of Debian against what rebuilders say.

Rules: an entry is about a package if name, version and architecture are equal, and the file name where the list has one. One BAD outweighs any
number of GOODs. Nothing listed, and listed but not rebuilt, are not GOOD.

Non-rules: rebuilders name no digests, so GOOD is about what they took for that version. npm's packages have no rebuilders, and are only counted.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.documents.rebuilt_packages import PackageStanding
from teekit_verify.rebuild.suites import Archive
from teekit_verify.reference.rebuilderd import RebuildStatus, file_name_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from teekit_verify.documents.built import Package
    from teekit_verify.rebuild.lock import LockedPackage
    from teekit_verify.reference.rebuilderd import Entry, Listing

_NPM = "npm"
_DEBIANS = get_args(Archive)
"""Of what another repository has, whoever rebuilds Debian says nothing, whatever its name and version."""


@dataclass(frozen=True, slots=True)
class Said:
    """By one rebuilder."""

    source: str
    status: RebuildStatus


@dataclass(frozen=True, slots=True)
class RebuiltPackage:
    """A locked package; `sha256` is the lock's, and none of what rebuilders say."""

    name: str
    version: str
    architecture: str
    sha256: str
    standing: PackageStanding
    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class RebuiltPackages:
    """`sources` were asked. `npm` packages are not among `packages`. `unknown_allowed`: the user's word that no BAD one is enough."""

    sources: tuple[str, ...]
    packages: tuple[RebuiltPackage, ...]
    npm: int
    unknown_allowed: bool

    def count(self, standing: PackageStanding) -> int:
        return sum(package.standing is standing for package in self.packages)

    @property
    def good_permille(self) -> int:
        """Rounded down, so that 1000 is all of them."""
        return 1000 * self.count(PackageStanding.GOOD) // len(self.packages)

    @property
    def status(self) -> ExitStatus:
        """DOES_NOT_HOLD for a BAD one. NO_VERDICT for one that is not GOOD, unless `unknown_allowed`, and always where none is: was the
        right rebuilder asked?
        """
        if self.count(PackageStanding.BAD):
            return ExitStatus.DOES_NOT_HOLD
        good = self.count(PackageStanding.GOOD)
        enough = good == len(self.packages) or (good and self.unknown_allowed)
        return ExitStatus.HOLDS if enough else ExitStatus.NO_VERDICT


def debian_packages(locked: Iterable[LockedPackage]) -> tuple[LockedPackage, ...]:
    """Each once, by name. Raises TeekitError if there are none: nothing could be said of them."""
    found = {(item.name, item.version, item.architecture, item.sha256): item for item in locked if item.archive != _NPM}
    if not found:
        raise TeekitError("the locks list no Debian packages", hint="Name a lock of an image or of the environment.")
    return tuple(found[key] for key in sorted(found))


def appraise_packages(
    locked: Sequence[LockedPackage], listings: Sequence[Listing], *, unknown_allowed: bool = False
) -> RebuiltPackages:
    """`locked` may have npm's packages too. Raises TeekitError as `debian_packages` does."""
    known = _by_identity(listings)
    packages = tuple(
        _rebuilt(item, item.sha256, file_name_in(item.path), known if item.archive in _DEBIANS else {})
        for item in debian_packages(locked)
    )
    npm = len({item.file_name for item in locked if item.archive == _NPM})
    return RebuiltPackages(tuple(listing.source for listing in listings), packages, npm, unknown_allowed)


def appraise_built(packages: Iterable[Package], listings: Sequence[Listing]) -> tuple[RebuiltPackage, ...]:
    """The same of what inputs.json and references name, each once. They name no file, so it is the one that Debian's policy gives a package."""
    known = _by_identity(listings)
    once = {(item.name, item.version, item.architecture, item.sha256.hex): item for item in packages}
    return tuple(_rebuilt(item, item.sha256.hex, _deb_of(item), known) for _, item in sorted(once.items()))


def _deb_of(item: Package) -> str:
    """deb-version(7): an epoch is in no file name."""
    return f"{item.name}_{item.version.partition(':')[2] or item.version}_{item.architecture}.deb"


def _by_identity(listings: Sequence[Listing]) -> Mapping[tuple[str, str, str], Sequence[tuple[str, Entry]]]:
    found: dict[tuple[str, str, str], list[tuple[str, Entry]]] = defaultdict(list)
    for listing in listings:
        for entry in listing.entries:
            found[entry.name, entry.version, entry.architecture].append((listing.source, entry))
    return found


def _rebuilt(
    item: LockedPackage | Package,
    sha256: str,
    file_name: str,
    by_identity: Mapping[tuple[str, str, str], Sequence[tuple[str, Entry]]],
) -> RebuiltPackage:
    said = tuple(
        Said(source, entry.status)
        for source, entry in by_identity.get((item.name, item.version, item.architecture), ())
        if entry.file_name in {"", file_name}
    )
    return RebuiltPackage(item.name, item.version, item.architecture, sha256, _standing(said), said)


def _standing(said: Sequence[Said]) -> PackageStanding:
    statuses = {item.status for item in said}
    if RebuildStatus.BAD in statuses:
        return PackageStanding.BAD
    if RebuildStatus.GOOD in statuses:
        return PackageStanding.GOOD
    return PackageStanding.UNKNOWN if statuses else PackageStanding.NOT_LISTED
