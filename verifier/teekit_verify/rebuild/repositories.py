"""Repositories of packages that are not Debian's: only those that a project names and the user allows, each with its own key.

An allowed one is an input like any other: its address, suite, components and key are in the lock, with the signed index that
its packages were found in. Its key signs for it alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import url
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import read_bounded
from teekit_verify.rebuild import lock, openpgp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from teekit_verify.rebuild.apt_sources import Entry

MOST = 9
"""Of one project: their names in a lock have one digit."""
_SUITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_-]{0,60}(/[A-Za-z0-9][A-Za-z0-9.+~_-]{0,60}){0,4}/?|\.?/")
_COMPONENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]{0,60}")
_MOST_COMPONENTS = 16
_OPTION = "--allow-repository"


class KeyFrom(Enum):
    """Who gave the key that a repository must be signed with."""

    PROJECT = "project"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Permission:
    """The user's word: the address of a repository, and its key, if it is not to be the one of the project."""

    address: str
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Repository:
    """One suite of an allowed repository. `name` stands for it in the lock; `key` are OpenPGP packets. A `suite` that ends in a
    slash is a folder with an index and no components (sources.list(5)).
    """

    name: str
    address: str
    suite: str
    components: tuple[str, ...]
    key: bytes
    key_from: KeyFrom

    @property
    def is_flat(self) -> bool:
        return self.suite.endswith("/")

    @property
    def base(self) -> str:
        """What the paths of its packages begin at."""
        return lock.base_of(self.address, self.suite)

    @property
    def index(self) -> str:
        """The address of the folder with InRelease."""
        return self.base if self.is_flat else f"{self.address}/dists/{self.suite}"

    @property
    def key_sha256(self) -> str:
        return Digest.of(Algorithm.SHA256, self.key).hex

    @property
    def trusted(self) -> tuple[str, str, tuple[str, ...], str]:
        """As `lock.LockedRepository.trusted`."""
        return self.address, self.suite, self.components, self.key_sha256

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return openpgp.fingerprints(self.key, f"the key of {self.address}")


def permission(text: str) -> Permission:
    """`URL` or `URL=FILE`. Raises TeekitError for what is no http or https address of a folder: it is named in reports."""
    address, _, key = text.partition("=")
    plain = url.require_address(address, "a repository")
    if "@" in plain or not plain.startswith(("http://", "https://")):
        raise TeekitError(
            f"{_OPTION} takes an http or https address without a user, found '{printable(url.redacted(address)[:120])}'",
            hint="Write it as the project does: https://packages.example.org/apt, or with a key: URL=FILE.",
        )
    return Permission(plain, Path(key) if key else None)


def allowed(permissions: Sequence[Permission], entries: Iterable[Entry]) -> tuple[Repository, ...]:
    """The repositories of the project's sources, each by the permission for its address. Raises TeekitError for a permission that
    nothing in the project asks for, for a source without a key, and for one that two keys would sign for.
    """
    keys: dict[tuple[str, str], tuple[bytes, KeyFrom]] = {}
    components: dict[tuple[str, str], dict[str, None]] = {}
    by_address = {one.address: one for one in permissions}
    for entry in entries:
        found = _key(by_address[entry.address], entry)
        if keys.setdefault((entry.address, entry.suite), found) != found:
            raise TeekitError(
                f"the project has two keys for {entry.address} {printable(entry.suite)}",
                hint=f"Give the right one with {_OPTION} {entry.address}=FILE.",
            )
        components.setdefault((entry.address, entry.suite), {}).update(dict.fromkeys(entry.components))
    _require_asked_for(by_address, {address for address, _ in keys})
    made = [
        Repository(f"repository-{number}", *place, tuple(components[place]), *keys[place])
        for number, place in enumerate(sorted(keys), start=1)
    ]
    for one in made:
        _require_plain(one)
    if len(made) > MOST:
        raise TeekitError(
            f"the project takes packages from {len(made)} other repositories", hint=f"Use at most {MOST}."
        )
    return tuple(made)


def _key(given: Permission, entry: Entry) -> tuple[bytes, KeyFrom]:
    if given.key is not None:
        data = read_bounded(given.key, openpgp.MOST_KEY_BYTES, "a repository's key")
        return openpgp.binary_key(data, str(given.key)), KeyFrom.USER
    if entry.key is None:
        raise TeekitError(
            f"the project takes packages from {entry.address} ({printable(entry.file)}), and has no key of it",
            hint=f"Give the key that its owner published: {_OPTION} {entry.address}=FILE.",
        )
    return openpgp.binary_key(entry.key, f"the project's key of {entry.address}"), KeyFrom.PROJECT


def _require_asked_for(by_address: Iterable[str], found: set[str]) -> None:
    for address in by_address:
        if address not in found:
            raise TeekitError(
                f"{_OPTION} {address}: nothing in the project takes packages from there",
                hint="Write the address as the project's own file of apt's sources does, or leave the option out.",
            )


def _require_plain(one: Repository) -> None:
    """They go into apt's own file of sources."""
    good = _SUITE.fullmatch(one.suite) and all(map(_COMPONENT.fullmatch, one.components))
    if not good or one.is_flat is bool(one.components) or len(one.components) > _MOST_COMPONENTS:
        named = " ".join((one.suite, *one.components))
        raise TeekitError(
            f"the project takes '{printable(named[:120])}' from {one.address}, which is not a suite and its components",
            hint="Write them out in the project's file of apt's sources.",
        )
