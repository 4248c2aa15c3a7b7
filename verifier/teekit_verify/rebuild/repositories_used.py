"""What a rebuild took from repositories that are not Debian's, for its report: whom it trusted, and which packages came from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.marks import ConfigDict, Field
from teekit_verify.documents import fields
from teekit_verify.documents.model import Package
from teekit_verify.rebuild.repositories import KeyFrom

if TYPE_CHECKING:
    from teekit_verify.rebuild.lock import LockedRepository, PackageLock

_Names = Annotated[tuple[fields.Name, ...], Field(max_length=fields.MAX_ITEMS)]


@dataclass(frozen=True, slots=True)
class RepositoryUsed:
    """One suite of an allowed repository. `fingerprints` are those of the primary keys that may sign, `signers` of those that did.

    `packages` came from there; `replaced` are the names of those that Debian has too.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    address: fields.Text
    suite: fields.Name
    components: _Names
    key_from: KeyFrom
    key_sha256: fields.Sha256
    fingerprints: _Names
    signers: _Names
    inrelease_sha256: fields.Sha256
    packages: Annotated[tuple[Package, ...], Field(max_length=fields.MAX_ITEMS)]
    replaced: _Names = ()


def used(locked: PackageLock, target: str) -> tuple[RepositoryUsed, ...]:
    """Of an image's packages; one that was allowed and gave none is there too: apt believed its index."""
    packages = locked.for_target(target)
    return tuple(
        _used(
            one,
            tuple(
                Package(item.name, item.version, item.architecture, item.digest)
                for item in packages
                if item.archive == one.name
            ),
        )
        for one in locked.repositories
    )


def _used(one: LockedRepository, packages: tuple[Package, ...]) -> RepositoryUsed:
    names = {package.name for package in packages}
    return RepositoryUsed(
        one.address,
        one.suite,
        one.components,
        KeyFrom(one.key_from),
        Digest.from_hex(Algorithm.SHA256, one.key_sha256),
        one.fingerprints,
        one.signers,
        Digest.from_hex(Algorithm.SHA256, one.inrelease_sha256),
        packages,
        tuple(name for name in one.replaced if name in names),
    )
