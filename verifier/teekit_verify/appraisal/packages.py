"""Whether others reproduced the packages that went in: locked packages of Debian against what rebuilders say.

Rules: an entry is about a package if name, version and architecture are equal, and the file name where the list has one. One BAD outweighs any
number of GOODs. Nothing listed, and listed but not rebuilt, are not GOOD.

Non-rules: rebuilders name no digests, so GOOD is about what they took for that version. npm's packages have no rebuilders, and are only counted.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus
from teekit_verify.reference.rebuilderd import RebuildStatus, file_name_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from teekit_verify.rebuild.lock import LockedPackage
    from teekit_verify.reference.rebuilderd import Entry, Listing

_NPM = "npm"


class PackageStanding(Enum):
    """What all rebuilders together say of a package. UNKNOWN: none has rebuilt it yet; NOT_LISTED: none knows this version."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    NOT_LISTED = "not_listed"


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
    """`sources` were asked. `npm` packages are not among `packages`. `good_required`: what is not GOOD is a failure too."""

    sources: tuple[str, ...]
    packages: tuple[RebuiltPackage, ...]
    npm: int
    good_required: bool

    def count(self, standing: PackageStanding) -> int:
        return sum(package.standing is standing for package in self.packages)

    @property
    def good_permille(self) -> int:
        """Rounded down, so that 1000 is all of them."""
        return 1000 * self.count(PackageStanding.GOOD) // len(self.packages)

    @property
    def status(self) -> ExitStatus:
        """DOES_NOT_HOLD for a BAD one, or with `good_required` for one that is not GOOD; NO_VERDICT where none is GOOD: was the right one asked?"""
        if self.count(PackageStanding.BAD):
            return ExitStatus.DOES_NOT_HOLD
        if not self.count(PackageStanding.GOOD):
            return ExitStatus.NO_VERDICT
        whole = self.count(PackageStanding.GOOD) == len(self.packages)
        return ExitStatus.HOLDS if whole or not self.good_required else ExitStatus.DOES_NOT_HOLD


def debian_packages(locked: Iterable[LockedPackage]) -> tuple[LockedPackage, ...]:
    """Each once, by name. Raises TeekitError if there are none: nothing could be said of them."""
    found = {(item.name, item.version, item.architecture, item.sha256): item for item in locked if item.archive != _NPM}
    if not found:
        raise TeekitError("the locks name no packages of Debian", hint="Name a lock of an image or of the environment.")
    return tuple(found[key] for key in sorted(found))


def appraise_packages(
    locked: Sequence[LockedPackage], listings: Sequence[Listing], *, good_required: bool = False
) -> RebuiltPackages:
    """`locked` may have npm's packages too. Raises TeekitError as `debian_packages` does."""
    by_identity: dict[tuple[str, str, str], list[tuple[str, Entry]]] = defaultdict(list)
    for listing in listings:
        for entry in listing.entries:
            by_identity[entry.name, entry.version, entry.architecture].append((listing.source, entry))
    packages = tuple(_rebuilt(item, by_identity) for item in debian_packages(locked))
    npm = len({item.file_name for item in locked if item.archive == _NPM})
    return RebuiltPackages(tuple(listing.source for listing in listings), packages, npm, good_required)


def _rebuilt(
    item: LockedPackage, by_identity: Mapping[tuple[str, str, str], Sequence[tuple[str, Entry]]]
) -> RebuiltPackage:
    file_name = file_name_in(item.path)
    said = tuple(
        Said(source, entry.status)
        for source, entry in by_identity.get((item.name, item.version, item.architecture), ())
        if entry.file_name in {"", file_name}
    )
    return RebuiltPackage(item.name, item.version, item.architecture, item.sha256, _standing(said), said)


def _standing(said: Sequence[Said]) -> PackageStanding:
    statuses = {item.status for item in said}
    if RebuildStatus.BAD in statuses:
        return PackageStanding.BAD
    if RebuildStatus.GOOD in statuses:
        return PackageStanding.GOOD
    return PackageStanding.UNKNOWN if statuses else PackageStanding.NOT_LISTED
