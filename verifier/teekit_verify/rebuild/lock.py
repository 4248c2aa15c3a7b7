"""Package locks: the exact packages, Debian's and npm's, of the pinned environment and of the images. Written by tools, never by hand."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from teekit_verify.core import url
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import RemoteFile
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import create_folder, write_whole
from teekit_verify.documents import codec, fields
from teekit_verify.rebuild.suites import MAIN, Archive, Component

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMA = "teekit-verify/package-lock/v1"

RepositoryName = Annotated[str, Field(pattern=r"^repository-[1-9]$")]
Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_DEBIAN_NAME = r"[a-z0-9][a-z0-9.+-]+"
NPM_NAME = r"(@[a-z0-9-]+/)?[a-z0-9][a-z0-9._-]*"
_DEBIAN_PATH = r"pool(/[A-Za-z0-9_+~%:-][A-Za-z0-9_.+~%:-]*)+\.deb"
_OTHER_PATH = r"[A-Za-z0-9_+~][A-Za-z0-9_.+~%:-]*(/[A-Za-z0-9_+~%:-][A-Za-z0-9_.+~%:-]*)*\.deb"
_NPM_PATH = NPM_NAME + r"/-/[a-z0-9][A-Za-z0-9._-]*\.tgz"


class LockError(TeekitError):
    """A lock file is unreadable, or does not say what it must."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class LockedPackage(_Model):
    """One .deb, or one .tgz of npm. `archive` is Debian's, or the name of one of the lock's other repositories. `path` is relative to
    the root of the archive, or of npm's registry. `targets` are the images
    (see `images.Target`) that need it; it is empty in the environment's lock.
    """

    name: Annotated[str, Field(pattern=f"^({_DEBIAN_NAME}|{NPM_NAME})$", max_length=214)]
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9.+~:-]+$")]
    architecture: Literal["amd64", "all"]
    archive: Archive | Literal["npm"] | RepositoryName
    path: Annotated[str, Field(pattern=f"^({_OTHER_PATH}|{_NPM_PATH})$", max_length=1024)]
    size_bytes: Annotated[int, Field(gt=0, lt=1 << 32)]
    sha256: Sha256Hex
    targets: tuple[str, ...] = ()

    @field_validator("path")
    @classmethod
    def _is_in_debians_pool(cls, path: str, info: ValidationInfo) -> str:
        if info.data.get("archive") in get_args(Archive) and not re.fullmatch(f"{_DEBIAN_PATH}|{_NPM_PATH}", path):
            raise ValueError("the path of one of Debian's packages begins with pool/")
        return path

    @property
    def file_name(self) -> str:
        """Its place in the folder that builds see: Debian's packages at the top, where mkosi looks for them."""
        if self.archive == "npm":
            return f"npm/{self.name.replace('/', '+')}-{self.version}.tgz"
        return PurePosixPath(self.path).name

    @property
    def digest(self) -> Digest:
        return Digest.from_hex(Algorithm.SHA256, self.sha256)

    def addresses(self, bases: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """Where to get it: `bases` are (archive or `npm`, base URL) pairs, in the order to try."""
        return tuple(url.join(base, self.path) for archive, base in bases if archive == self.archive)

    def remote_file(self, bases: Iterable[tuple[str, str]]) -> RemoteFile:
        return RemoteFile(f"package {self.name} {self.version}", self.size_bytes, self.digest, self.addresses(bases))


class EnvironmentIdentity(_Model):
    """The Nix store path that the environment's packages unpack to, and the SHA-256 of its NAR in SRI form."""

    store_path: Annotated[str, Field(pattern=r"^/nix/store/[0-9a-z]{32}-[A-Za-z0-9_.+-]+$")]
    nar_hash: Annotated[str, Field(pattern=r"^sha256-[A-Za-z0-9+/]{43}=$")]


class IndexEvidence(_Model):
    """The signed index of one component of a suite that a lock was made from: the suite's InRelease, and the component's Packages
    file in the form that was kept.
    """

    archive: Archive
    suite: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=64)]
    inrelease_sha256: Sha256Hex
    packages_sha256: Sha256Hex
    component: Component = MAIN


class ComponentIndex(_Model):
    """The Packages file of one component of a repository, in the form that was kept; a flat repository's has no name."""

    component: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9.+_-]*)?$", max_length=64)]
    packages_sha256: Sha256Hex


class LockedRepository(_Model):
    """A suite of a repository that is not Debian's, which the user allowed. `packages` of the lock name it by `name`.

    `key_sha256` is the digest of the OpenPGP packets of its key, `fingerprints` are those of the keys in there, `signers` those of
    the keys that did sign. `replaced` are the names of packages that were taken from it although Debian has some of that name.
    """

    name: RepositoryName
    address: Annotated[str, Field(pattern=r"^https?://[^\s@?#]+$", max_length=1024)]
    suite: Annotated[str, Field(pattern=r"^[A-Za-z0-9.+~_/-]+$", max_length=512)]
    components: Annotated[tuple[str, ...], Field(max_length=16)] = ()
    key_from: Literal["project", "user"]
    key_sha256: Sha256Hex
    fingerprints: Annotated[tuple[Annotated[str, Field(pattern=r"^[0-9A-F]{40,64}$")], ...], Field(max_length=1000)]
    signers: Annotated[tuple[Annotated[str, Field(pattern=r"^[0-9A-F]{40,64}$")], ...], Field(max_length=16)]
    inrelease_sha256: Sha256Hex
    indexes: Annotated[tuple[ComponentIndex, ...], Field(min_length=1, max_length=16)]
    replaced: Annotated[tuple[str, ...], Field(max_length=fields.MAX_ITEMS)] = ()

    @property
    def trusted(self) -> tuple[str, str, tuple[str, ...], str]:
        """What somebody trusts who allows it, whenever its index was read."""
        return self.address, self.suite, self.components, self.key_sha256


class PackageLock(_Model):
    """`evidence` is empty in locks of before it was kept. `snapshot` is a time (YYYYMMDDTHHMMSSZ) at which the snapshot archive has all these packages."""

    schema_name: Annotated[Literal["teekit-verify/package-lock/v1"], Field(alias="schema")]
    suite: Annotated[str, Field(pattern=r"^[a-z]+$")]
    snapshot: Annotated[str, Field(pattern=r"^[0-9]{8}T[0-9]{6}Z$")]
    environment: EnvironmentIdentity | None = None
    evidence: Annotated[tuple[IndexEvidence, ...], Field(max_length=32)] = ()
    repositories: Annotated[
        tuple[LockedRepository, ...], Field(max_length=9), fields.unique(lambda item: item.name, "repository")
    ] = ()
    packages: Annotated[
        tuple[LockedPackage, ...],
        Field(min_length=1, max_length=fields.MAX_ITEMS),
        fields.unique(lambda package: f"{package.name} {package.version} ({package.architecture})", "package"),
        # Builds see all packages in one folder, under these names.
        fields.unique(lambda package: package.file_name, "file name"),
    ]

    @model_validator(mode="after")
    def _names_its_repositories(self) -> PackageLock:
        known = {*get_args(Archive), "npm", *(item.name for item in self.repositories)}
        for package in self.packages:
            if package.archive not in known:
                raise ValueError(f"{package.name} is from {package.archive}, which the lock does not tell of")
        return self

    def for_target(self, target: str) -> tuple[LockedPackage, ...]:
        """The packages of one image. Raises LockError if the lock was not made for it."""
        chosen = tuple(package for package in self.packages if target in package.targets)
        if not chosen:
            raise LockError(
                f"the lock names no packages for the image {target}", hint="Make a new lock with `teekit-verify lock`."
            )
        return chosen

    def digest_for(self, target: str) -> Digest:
        """What a report and a reference name the locked inputs of one image by: another image's do not change it.

        SHA-256 over a line "name version architecture sha256" for each, sorted; then, for each repository that is not Debian's,
        a line "repository address suite components key", also where no package is from it.
        """
        chosen = self.for_target(target)
        lines = sorted(f"{item.name} {item.version} {item.architecture} {item.sha256}\n" for item in chosen)
        for one in self.repositories:
            lines.append(f"repository {one.address} {one.suite} {','.join(one.components)} {one.key_sha256}\n")
        return Digest.of(Algorithm.SHA256, "".join(lines).encode())

    def with_environment(self, identity: EnvironmentIdentity) -> PackageLock:
        return self.model_copy(update={"environment": identity})

    def with_evidence(self, evidence: tuple[IndexEvidence, ...]) -> PackageLock:
        return self.model_copy(update={"evidence": evidence})

    @property
    def other_places(self) -> tuple[tuple[str, str], ...]:
        """(name, base address) of each repository that is not Debian's."""
        return tuple((one.name, base_of(one.address, one.suite)) for one in self.repositories)

    def dump(self) -> bytes:
        """The lock's only form, so that the same lock is always the same bytes."""
        return self.model_dump_json(indent=1, by_alias=True, exclude_defaults=True).encode() + b"\n"

    def write(self, path: Path) -> None:
        """Write the lock whole or not at all."""
        create_folder(path.parent)
        write_whole(path, self.dump())

    def digest(self) -> Digest:
        """SHA-256 of the lock's bytes: what names an environment's lock."""
        return Digest.of(Algorithm.SHA256, self.dump())


def base_of(address: str, suite: str) -> str:
    """What the paths of a repository's packages begin at: of a suite that is a folder, there (sources.list(5))."""
    folder = suite.strip("/").removeprefix(".") if suite.endswith("/") else ""
    return f"{address}/{folder}" if folder else address


def require_trusted(locked: PackageLock, trusted: Iterable[tuple[str, str, tuple[str, ...], str]]) -> None:
    """Raises LockError for a lock with other repositories than the user allows now: whoever wrote it may have trusted others."""
    allowed = set(trusted)
    for one in locked.repositories:
        if one.trusted not in allowed:
            raise LockError(
                f"the lock has packages from {one.address} {one.suite}, signed by {one.fingerprints[0] if one.fingerprints else 'no key'}, "
                "which this project and its options do not allow",
                hint=f"If you trust that key's owner, allow it with --allow-repository {one.address}.",
            )
    if missing := sorted(allowed - {one.trusted for one in locked.repositories}):
        raise LockError(
            f"the lock was made without the repository {missing[0][0]} {missing[0][1]}",
            hint="Leave out --lock: a lock with it is made.",
        )


def require_time(locked: PackageLock, pinned: str | None) -> None:
    """Raises LockError for the lock of another time than the project pins."""
    if pinned is not None and locked.snapshot != pinned:
        raise LockError(
            f"the lock is of {locked.snapshot}, and the project pins its packages to {pinned}",
            hint="Leave out --lock: a lock of that time is made.",
        )


def load(path: Path) -> PackageLock:
    """Read a lock file. Raises TeekitError with the file, the field and what is wrong with it.

    Only the form that `dump` gives is accepted, so that no byte of a lock file can change unnoticed.
    """
    if not path.exists():
        raise LockError(f"there is no lock file {path}", hint="Make one with `teekit-verify lock`.")
    data = codec.read_bounded(path)
    lock = codec.parse(PackageLock, SCHEMA, data, str(path))
    if lock.dump() != data:
        raise LockError(f"{path} was edited by hand", hint="Restore the committed lock, or make a new one.")
    return lock
