"""What differs between two records of inputs, as values: packages by name, source files by path, environment, lock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.documents.inputs import inputs_digest
from teekit_verify.rebuild.debian_version import DebianVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from teekit_verify.documents.model import Inputs, Package, SourceFile

_Key = tuple[str, str]


class Change(Enum):
    """What became of an item. OLDER: another version, which comes before the old one. OTHER_BYTES: the same version (or path)."""

    NEW = "new"
    GONE = "gone"
    NEWER = "newer"
    OLDER = "older"
    OTHER_BYTES = "other_bytes"
    OTHER_KIND = "other_kind"


@dataclass(frozen=True, slots=True)
class PackageChange:
    """`old` and `new` are the versions that only that side has, in their order; the one version of both for OTHER_BYTES."""

    name: str
    architecture: str
    change: Change
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SourceFileChange:
    path: str
    change: Change


@dataclass(frozen=True, slots=True)
class InputChanges:
    """`is_same` is decided by one digest over everything, so that no kind of change is passed over. `same_packages` counts."""

    is_same: bool
    environment_changed: bool
    lock_changed: bool
    same_packages: int
    packages: tuple[PackageChange, ...]
    source_files: tuple[SourceFileChange, ...]


def compare(old: Inputs, new: Inputs) -> InputChanges:
    """Of two builds of one image."""
    return InputChanges(
        is_same=inputs_digest(old) == inputs_digest(new),
        environment_changed=old.environment != new.environment,
        lock_changed=old.lock_sha256 != new.lock_sha256,
        same_packages=len(set(old.packages) & set(new.packages)),
        packages=tuple(_packages(old.packages, new.packages)),
        source_files=tuple(_source_files(old.source_files, new.source_files)),
    )


def _packages(old: Iterable[Package], new: Iterable[Package]) -> Iterator[PackageChange]:
    before, after = _by_name(old), _by_name(new)
    for key in sorted(before.keys() | after.keys()):
        yield from _package(key, before.get(key, {}), after.get(key, {}))


def _by_name(packages: Iterable[Package]) -> dict[_Key, dict[str, Package]]:
    """By name and architecture, then by version."""
    table: defaultdict[_Key, dict[str, Package]] = defaultdict(dict)
    for package in packages:
        table[package.name, package.architecture][package.version] = package
    return dict(table)


def _package(key: _Key, before: dict[str, Package], after: dict[str, Package]) -> Iterator[PackageChange]:
    gone = tuple(sorted(before.keys() - after.keys(), key=DebianVersion))
    new = tuple(sorted(after.keys() - before.keys(), key=DebianVersion))
    if gone or new:
        yield PackageChange(*key, _change(gone, new), gone, new)
    for version in sorted(before.keys() & after.keys()):
        if before[version].sha256 != after[version].sha256:
            yield PackageChange(*key, Change.OTHER_BYTES, (version,), (version,))


def _change(gone: tuple[str, ...], new: tuple[str, ...]) -> Change:
    if not gone or not new:
        return Change.NEW if new else Change.GONE
    return Change.OLDER if DebianVersion(new[-1]) < DebianVersion(gone[-1]) else Change.NEWER


def _source_files(old: Iterable[SourceFile], new: Iterable[SourceFile]) -> Iterator[SourceFileChange]:
    before, after = ({item.path: item for item in side} for side in (old, new))
    for path in sorted(before.keys() | after.keys()):
        one, other = before.get(path), after.get(path)
        if one is None or other is None:
            yield SourceFileChange(path, Change.NEW if one is None else Change.GONE)
        elif one != other:
            yield SourceFileChange(path, Change.OTHER_BYTES if one.kind is other.kind else Change.OTHER_KIND)
