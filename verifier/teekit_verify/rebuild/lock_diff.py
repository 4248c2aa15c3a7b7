"""What changed between two locks, by source package, with what the new packages' own changelogs say of it."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.artifacts import deb
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.rebuild import images
from teekit_verify.rebuild.debian_version import DebianVersion
from teekit_verify.rebuild.evidence import LockCheck, check

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from teekit_verify.core.download import DownloadStore
    from teekit_verify.rebuild.effect import Effect
    from teekit_verify.rebuild.lock import LockedPackage, LockedRepository, PackageLock

_HEADING = re.compile(r"^([a-z0-9][a-z0-9+.-]{1,100}) \(([A-Za-z0-9.+~:-]{1,200})\) ([A-Za-z0-9 .-]{1,200});(.*)$")
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,10}")
_BINARY_REBUILD = re.compile(r"\+b[0-9]+$")
_MAX_ENTRIES = 200


class Alarm(Enum):
    """What a refresh must not bring. The value is for programs."""

    DOWNGRADE = "downgrade"
    OTHER_BYTES = "same_version_other_bytes"
    OTHER_ARCHIVE = "other_archive"
    NOT_ASKED_FOR = "not_asked_for"
    NOT_DEBIANS = "not_in_signed_index"
    INDEX_REFUSED = "index_refused"
    OTHER_SUITE = "other_suite"
    OLDER_SNAPSHOT = "older_snapshot"
    OTHER_REPOSITORY = "other_repository"
    OTHER_SOURCE = "other_source"
    UNEXPLAINED = "unexplained_file"


class Evidence(Enum):
    """Whether the new lock's packages were followed to Debian's signature."""

    CHECKED = "checked"
    NOT_NAMED = "not_named"
    NOT_HERE = "not_here"


class History(Enum):
    """Where the changelog entries come from, or why there are none."""

    READ = "read"
    CUT_OFF = "cut_off"  # it ends before the old version
    NOT_FETCHED = "not_fetched"  # the new packages are not in the download store
    OLD_UNKNOWN = "old_version_unknown"  # binary and source version differ, and the old package is not there to tell
    NOT_DEBIANS = "not_debians"
    NOT_CARRIED = "not_carried"  # no changed package of this source has a changelog


_PREFERENCE = tuple(History)
"""Of a source's packages, the one that tells most speaks for all."""


@dataclass(frozen=True, slots=True)
class Change:
    """One package; `old` is None for a new one, `new` for one that is gone."""

    name: str
    old: LockedPackage | None
    new: LockedPackage | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A changelog entry: version of the source, distribution, the CVEs that its text names."""

    version: str
    distribution: str
    cves: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class SourceChange:
    """The changed packages of one source; `source` is a binary package's name where `source_known` is False."""

    source: str
    source_known: bool
    changes: tuple[Change, ...]
    history: History
    entries: tuple[Entry, ...]

    @property
    def cves(self) -> tuple[str, ...]:
        """Named in changelogs; nothing says that they are fixed, or that they mattered."""
        return tuple(sorted({cve for entry in self.entries for cve in entry.cves}))


@dataclass(frozen=True, slots=True)
class RedFlag:
    """`package` is None where the whole lock is meant."""

    alarm: Alarm
    package: str | None
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class LockDiff:
    """`same` packages are equal in both. `check` is None unless `evidence` is CHECKED; `effect` where images were compared."""

    suites: tuple[str, str]
    snapshots: tuple[str, str]
    same: int
    sources: tuple[SourceChange, ...]
    flags: tuple[RedFlag, ...]
    evidence: Evidence
    check: LockCheck | None
    effect: Effect | None = None

    def changes(self) -> list[Change]:
        return [change for source in self.sources for change in source.changes]


def compare(old: PackageLock, new: PackageLock, store: DownloadStore) -> LockDiff:
    """Compare two locks. Changelogs and evidence are read where the store has them. Raises TeekitError for damaged packages."""
    changes, same = _changes(old.packages, new.packages)
    evidence = _evidence(new, store)
    checked = check(new, store) if evidence is Evidence.CHECKED else None
    flags = [*_lock_flags(old, new), *_repository_flags(old, new), *_evidence_flags(checked)]
    flags += [flag for change in changes for flag in _package_flags(change, checked)]
    flags += _downgrades_of_images(old, new, flags)
    known = _targets(old)
    flags += [flag for package in new.packages for flag in _asked_for(package, new, known)]
    return LockDiff(
        (old.suite, new.suite),
        (old.snapshot, new.snapshot),
        same,
        tuple(_by_source(changes, store)),
        tuple(flags),
        evidence,
        checked,
    )


def with_effect(diff: LockDiff, effect: Effect) -> LockDiff:
    """With the red flags of what the image shows."""
    flags = [RedFlag(Alarm.OTHER_SOURCE, None, "", path) for path in effect.source_files]
    flags += [
        RedFlag(Alarm.UNEXPLAINED, ", ".join(part.packages) or None, "", part.path or part.section)
        for part in effect.unexplained
        if effect.is_whole
    ]
    flags += [RedFlag(Alarm.UNEXPLAINED, None, "", name) for name in effect.other_artifacts]
    return replace(diff, flags=(*diff.flags, *flags), effect=effect)


def _changes(old: Iterable[LockedPackage], new: Iterable[LockedPackage]) -> tuple[list[Change], int]:
    """A lock may have several versions of a package, for different images: those that only one side has are paired in order."""
    before, after = _grouped(old), _grouped(new)
    changes, same = [], 0
    for key in sorted(before.keys() | after.keys()):
        one, other = before.get(key, {}), after.get(key, {})
        unchanged = one.keys() & other.keys()
        same += len(unchanged)
        left = [one[identity] for identity in one if identity not in unchanged]
        right = [other[identity] for identity in other if identity not in unchanged]
        changes += [Change(key[0], *pair) for pair in _paired(left, right)]
    return changes, same


_Identity = tuple[str, str, str, tuple[str, ...]]


def _grouped(packages: Iterable[LockedPackage]) -> dict[tuple[str, str], dict[_Identity, LockedPackage]]:
    grouped: defaultdict[tuple[str, str], dict[_Identity, LockedPackage]] = defaultdict(dict)
    for item in packages:
        grouped[item.name, "npm" if item.archive == "npm" else "deb"][
            item.version, item.sha256, item.archive, item.targets
        ] = item
    return dict(grouped)


def _paired(
    old: Sequence[LockedPackage], new: Sequence[LockedPackage]
) -> list[tuple[LockedPackage | None, LockedPackage | None]]:
    """The same version first, as its bytes must be looked at; the others in the order of their versions."""
    same = [(one, other) for one in old for other in new if one.version == other.version]
    left = sorted((item for item in old if item not in [one for one, _ in same]), key=_order)
    right = sorted((item for item in new if item not in [other for _, other in same]), key=_order)
    common = min(len(left), len(right))
    return [
        *same,
        *zip(left[:common], right[:common], strict=True),
        *((item, None) for item in left[common:]),
        *((None, item) for item in right[common:]),
    ]


def _order(package: LockedPackage) -> DebianVersion:
    """Of npm's versions too, where what follows a hyphen comes before the release (Semantic Versioning 2.0.0, 11)."""
    return DebianVersion(package.version.replace("-", "~") if package.archive == "npm" else package.version)


def _evidence(new: PackageLock, store: DownloadStore) -> Evidence:
    if not new.evidence:
        return Evidence.NOT_NAMED
    names = [name for item in new.evidence for name in (item.inrelease_sha256, item.packages_sha256)]
    there = all(store.path(Digest.from_hex(Algorithm.SHA256, name)).is_file() for name in names)
    return Evidence.CHECKED if there else Evidence.NOT_HERE


def _lock_flags(old: PackageLock, new: PackageLock) -> list[RedFlag]:
    flags = []
    if old.suite != new.suite:
        flags.append(RedFlag(Alarm.OTHER_SUITE, None, old.suite, new.suite))
    if new.snapshot < old.snapshot:
        flags.append(RedFlag(Alarm.OLDER_SNAPSHOT, None, old.snapshot, new.snapshot))
    return flags


def _repository_flags(old: PackageLock, new: PackageLock) -> list[RedFlag]:
    """Whom one trusts beside Debian: each repository that only one of the two has, or has with another key."""
    before, after = ({one.trusted: _shown(one) for one in lock.repositories} for lock in (old, new))
    gone = [
        RedFlag(Alarm.OTHER_REPOSITORY, None, shown, "none")
        for trusted, shown in before.items()
        if trusted not in after
    ]
    come = [
        RedFlag(Alarm.OTHER_REPOSITORY, None, "none", shown)
        for trusted, shown in after.items()
        if trusted not in before
    ]
    return gone + come


def _shown(one: LockedRepository) -> str:
    return f"{one.address} {' '.join((one.suite, *one.components))}, key {one.key_sha256[:16]} of {', '.join(one.fingerprints)}"


def _evidence_flags(checked: LockCheck | None) -> list[RedFlag]:
    if checked is None:
        return []
    refused = [
        RedFlag(Alarm.INDEX_REFUSED, None, "", f"{index.archive} {index.suite}")
        for index in checked.indexes
        if index.doubt is not None
    ]
    return refused + [RedFlag(Alarm.NOT_DEBIANS, item.name, "", item.version) for item in checked.doubts]


def _package_flags(change: Change, checked: LockCheck | None) -> list[RedFlag]:
    """Between its two archives Debian moves packages itself, at security updates and point releases.

    So that is no alarm where the signed index of the new archive was shown to have the package.
    """
    old, new = change.old, change.new
    if old is None or new is None:
        return []
    flags = []
    if _order(new) < _order(old):
        flags.append(RedFlag(Alarm.DOWNGRADE, change.name, old.version, new.version))
    if old.version == new.version and old.sha256 != new.sha256:
        flags.append(RedFlag(Alarm.OTHER_BYTES, change.name, old.sha256, new.sha256))
    if old.archive != new.archive and (checked is None or not checked.holds):
        flags.append(RedFlag(Alarm.OTHER_ARCHIVE, change.name, old.archive, new.archive))
    return flags


def _downgrades_of_images(old: PackageLock, new: PackageLock, known: Sequence[RedFlag]) -> list[RedFlag]:
    """Where a lock has several versions, an image may get the older of them, though neither changed."""
    before, told = _newest(old), {flag.package for flag in known if flag.alarm is Alarm.DOWNGRADE}
    return [
        RedFlag(Alarm.DOWNGRADE, f"{name} of {target}", before[name, target].version, package.version)
        for (name, target), package in sorted(_newest(new).items())
        if (name, target) in before and name not in told and _order(package) < _order(before[name, target])
    ]


def _newest(lock: PackageLock) -> dict[tuple[str, str], LockedPackage]:
    """By name and image."""
    packages = sorted(lock.packages, key=_order)
    return {(package.name, target): package for package in packages for target in package.targets}


def _targets(old: PackageLock) -> frozenset[str]:
    """The images there are: ours, or of a project of somebody else those that it had."""
    ours = frozenset(target.key for target in images.TARGETS)
    had = frozenset(name for package in old.packages for name in package.targets)
    return had if had and had.isdisjoint(ours) else ours


def _asked_for(package: LockedPackage, lock: PackageLock, known: Collection[str]) -> list[RedFlag]:
    """Every package of an image lock is there for a target. The environment's lock has no targets."""
    if lock.environment is not None or not set(package.targets).isdisjoint(known):
        return []
    return [RedFlag(Alarm.NOT_ASKED_FOR, package.name, "", package.version)]


def _by_source(changes: Sequence[Change], store: DownloadStore) -> list[SourceChange]:
    named: defaultdict[tuple[str, bool], list[Change]] = defaultdict(list)
    for change in changes:
        source = _source(change.new, store) or _source(change.old, store)
        named[source[0] if source else change.name, source is not None].append(change)
    return [_with_history(source, known, group, store) for (source, known), group in sorted(named.items())]


def _source(package: LockedPackage | None, store: DownloadStore) -> tuple[str, str] | None:
    """Name and version of its source, from the stored package (Debian Policy 5.6.1): both default to the package's own."""
    if package is None or package.archive == "npm" or not store.path(package.digest).is_file():
        return None
    fields = deb.control_fields(store.path(package.digest))
    name, _, version = fields.get("Source", package.name).partition(" ")
    return name, version.strip("() ") or package.version


def _with_history(source: str, known: bool, changes: Sequence[Change], store: DownloadStore) -> SourceChange:  # noqa: FBT001
    """A package whose name has the version in it (a kernel) is compared with what the source's other packages were before."""
    before = next((change.old for change in changes if change.old is not None), None)
    pairs = [(change.old or before, change.new) for change in changes]
    found = [_history(old, new, store) for old, new in pairs if old is not None and new is not None]
    history, entries = min(found, key=lambda one: _PREFERENCE.index(one[0]), default=(History.NOT_CARRIED, ()))
    return SourceChange(source, known, tuple(changes), history, entries)


def _history(old: LockedPackage, new: LockedPackage, store: DownloadStore) -> tuple[History, tuple[Entry, ...]]:
    if new.archive == "npm":
        return History.NOT_DEBIANS, ()
    after = _source(new, store)
    if after is None:
        return History.NOT_FETCHED, ()
    before = _source(old, store)
    if before is None and _BINARY_REBUILD.sub("", new.version) != after[1]:
        return History.OLD_UNKNOWN, ()
    text = deb.changelog(store.path(new.digest), new.name)
    if text is None:
        return History.NOT_CARRIED, ()
    old_version = before[1] if before else _BINARY_REBUILD.sub("", old.version)
    return entries_since(text, old_version)


def entries_since(changelog: str, version: str) -> tuple[History, tuple[Entry, ...]]:
    """The entries that are newer than `version`, newest first (deb-changelog(5))."""
    old, entries = DebianVersion(version), list[Entry]()
    for heading, lines in _raw_entries(changelog):
        if DebianVersion(heading[2]) <= old:
            return History.READ, tuple(entries)
        if len(entries) == _MAX_ENTRIES:
            break
        entries.append(_entry(heading, lines))
    return History.CUT_OFF, tuple(entries)


def _raw_entries(changelog: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    heading, lines = None, list[str]()
    for line in changelog.splitlines():
        found = _HEADING.match(line)
        if found is None:
            lines.append(line)
            continue
        if heading is not None:
            yield heading, lines
        heading, lines = found, []
    if heading is not None:
        yield heading, lines


def _entry(heading: re.Match[str], lines: Sequence[str]) -> Entry:
    text = "\n".join(line for line in lines if not line.startswith(" -- ")).strip("\n")
    return Entry(heading[2], heading[3], tuple(sorted(set(_CVE.findall(text)))), text)
