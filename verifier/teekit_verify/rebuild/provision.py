"""Brings together what a build consumes: the pinned environment and the locked packages, from wherever they can be had."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.download import DownloadStore, Network, RemoteFile
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import exclusive, resolved, walk
from teekit_verify.rebuild import (
    archive,
    backports,
    environment,
    environments,
    evidence,
    images,
    lock,
    lock_files,
    npm,
    other_evidence,
    proxies,
)
from teekit_verify.rebuild.sandbox import Sandbox, own_first_id
from teekit_verify.rebuild.suites import Suite
from teekit_verify.rebuild.workspace import place_readable, remove

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.core.digest import Digest
    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.environment import Environment
    from teekit_verify.rebuild.images import Target
    from teekit_verify.rebuild.inputs_places import Place
    from teekit_verify.rebuild.lock import LockedPackage, PackageLock
    from teekit_verify.rebuild.lock_files import EvidenceFile
    from teekit_verify.rebuild.project import Project
    from teekit_verify.rebuild.repositories import Repository
    from teekit_verify.rebuild.suites import Archive

_SHOWN = 5


def _require_inside(path: Path, folder: Path) -> None:
    """Raises TeekitError for a link that leads to a file of the host, which no build sees."""
    if not resolved(path).is_relative_to(folder.resolve()):
        name = printable(str(path.relative_to(folder)))
        raise TeekitError(f"{name} is a link that leads out of the project", hint="Put the file in its place.")


@dataclass(frozen=True, slots=True)
class Provision:
    """`cache` keeps downloads between runs; `mirror` is an address or None for the host's own, and so is `npm_registry`.

    `offline`: what is not in the cache is not fetched but an error. `snapshot`: new locks are of the archive as it was at that
    time (YYYYMMDDTHHMMSSZ), not of today's. `inputs` are archives to ask first, `locations` those that a release names.
    """

    project: Project
    cache: Path
    progress: Progress
    mirror: str | None
    snapshot_archive: str
    npm_registry: str | None = None
    offline: bool = False
    snapshot: str | None = None
    inputs: tuple[Place, ...] = ()
    locations: tuple[Place, ...] = ()
    network: Network = field(default_factory=lambda: Network(proxies.proxies()), compare=False)

    @property
    def places(self) -> tuple[Place, ...]:
        """The archives of inputs that may be asked, in order."""
        return tuple(place for place in (*self.inputs, *self.locations) if place.is_local or not self.offline)

    @property
    def store(self) -> DownloadStore:
        return DownloadStore(self.cache / "downloads", self.network)

    def environment(self) -> Environment:
        """The environment of the committed lock, from the Nix store or built now."""
        locked = lock.load(self.project.environment_lock)
        with self.progress.step("check the pinned environment"):
            present = environment.existing(locked)
        return present or self._build_environment(locked)

    def new_environment_lock(self) -> PackageLock:
        """Resolve the environment's packages against today's archive and build it, to learn its identity."""
        resolved = self._index_lock(environment.tools(self.project), self.project.environment_suite)
        return resolved.with_environment(self._build_environment(resolved).identity)

    def new_image_lock(self, targets: Sequence[Target] = images.TARGETS) -> PackageLock:
        """Resolve what the images need against today's archive, from mkosi's own view of its configuration."""
        sandbox = Sandbox(
            root=self.environment().root, read_only_binds={"/source": self.project.mkosi}, first_id=own_first_id()
        )
        resolve, lock_npm = cache(archive.Index.resolve), cache(self._lock_npm)
        needed: dict[str, tuple[LockedPackage, set[str]]] = {}
        suite = targets[0].suite
        pinned = backports.pinned(self.project.mkosi, suite)
        with self._index(suite, pinned_to_backports=pinned, repositories=targets[0].repositories) as index:
            for target in targets:
                with self.progress.step(f"resolve the packages of {target.key}"):
                    requests = images.stage_requests(target, sandbox, "/source")
                    packages = [package for request in requests for package in resolve(index, tuple(request))]
                    packages += [lock_npm(*named) for named in self._npm_packages(target)]
                for package in packages:
                    needed.setdefault(f"{package.archive} {package.path}", (package, set()))[1].add(target.key)
            if self.project.tools.has_reprepro:
                index.require_indexable([package for package, _ in needed.values()])
            kept = evidence.keep(index, self.store, self.progress)
            others = other_evidence.keep(index, [package for package, _ in needed.values()], self.store, self.progress)
        packages = [
            package.model_copy(update={"targets": tuple(sorted(keys))}) for _, (package, keys) in sorted(needed.items())
        ]
        made = archive.make_lock(index, packages, others).with_evidence(kept)
        return made if self.snapshot is None else made.model_copy(update={"snapshot": self.snapshot})

    def _lock_npm(self, name: str, version: str, expected: Digest) -> LockedPackage:
        return npm.lock_package(name, version, expected, base=npm.registry(self.npm_registry), store=self.store)

    def _npm_packages(self, target: Target) -> Iterator[tuple[str, str, Digest]]:
        """Those in the package-lock.json files that builds of the target see."""
        folder = self.project.mkosi
        found = [Path(place, name) for place, _, names in walk(folder) for name in names if name == npm.PACKAGE_LOCK]
        for path in sorted(found):
            if target.uses(path.relative_to(folder).as_posix()):
                _require_inside(path, folder)
                yield from npm.locked_names(path) if target.needs_npm else npm.names_or_none(path)

    def files(self, locked: PackageLock, packages: Sequence[LockedPackage]) -> list[RemoteFile]:
        """Where each of these packages of a lock can be asked for."""
        return self._files(locked, packages)

    def fetch(self, locked: PackageLock, packages: Sequence[LockedPackage]) -> None:
        """Bring packages into the download store, each checked."""
        with self.progress.step(f"fetch the image's {len(packages)} packages"):
            self.store.fetch(
                self._files(locked, packages),
                progress=self.progress.count,
                waiting=lambda found: self.progress.waiting(found.in_words()),
            )

    def fetch_environment(self, locked: PackageLock) -> None:
        """Bring the environment's packages into the download store, each checked."""
        with self.progress.step(f"fetch the environment's {len(locked.packages)} packages"):
            self.store.fetch(
                self._files(locked, locked.packages),
                progress=self.progress.count,
                waiting=lambda found: self.progress.waiting(found.in_words()),
            )

    def package_folder(self, packages: Sequence[LockedPackage], folder: Path) -> None:
        """Make a folder of fetched packages under their own names: what a build sees as its only package source.

        A build's root is another user of the host, who is to read it whatever the umask is.
        """
        remove(folder)
        folder.mkdir(parents=True)
        folder.chmod(0o755)
        for package in packages:
            place = folder / package.file_name
            place.parent.mkdir(exist_ok=True)
            place.parent.chmod(0o755)
            place_readable(self.store.path(package.digest), place)

    @contextmanager
    def _index(
        self,
        suite: Suite,
        bases: Sequence[tuple[Archive, str]] | None = None,
        pinned_to_backports: tuple[str, ...] = (),
        repositories: tuple[Repository, ...] = (),
    ) -> Iterator[archive.Index]:
        """The signed package index of `bases`, else today's or that of the wanted time, for one run at a time."""
        if self.offline:
            raise TeekitError(
                "a new lock needs today's package index, which no cache has",
                hint="Name a lock with --lock FILE, or leave out --offline.",
            )
        root = self.cache / "apt"
        with exclusive(self.cache / "apt.lock"):
            remove(root)
            with self.progress.step("fetch and check the package index"):
                places = self._archives() if bases is None else bases
                with self._named_by_time(of_snapshot=bases is None and self.snapshot is not None):
                    index = archive.Index.download(root, places, pinned_to_backports, suite, repositories)
            yield index

    @contextmanager
    def _named_by_time(self, *, of_snapshot: bool) -> Iterator[None]:
        """Only the archive of the past has what is asked for: another mirror would not help."""
        try:
            yield
        except archive.ArchiveError as error:
            if not of_snapshot:
                raise
            raise archive.ArchiveError(
                error.message,
                hint=f"Packages are those of the snapshot archive at {self.snapshot}: make {self.snapshot_archive} reachable, or "
                "name a copy of it with --snapshot-archive URL.",
            ) from error

    def _archives(self) -> list[tuple[Archive, str]]:
        if self.snapshot is None:
            return archive.sources(self.mirror, self.snapshot_archive, None)
        if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", self.snapshot):
            raise TeekitError(
                f"'{printable(self.snapshot)}' is not a time of a snapshot", hint="Write it as 20261121T081046Z."
            )
        return archive.snapshot_sources(self.snapshot_archive, self.snapshot)

    def bring_evidence(self, locked: PackageLock) -> list[EvidenceFile]:
        """The files of a lock's signed index that nobody has; the others are in the download store now."""
        bases: list[tuple[str, str]] = []
        if not self.offline:
            bases += [*archive.named(self.mirror), *archive.others(self.snapshot_archive, locked.snapshot)]
        return lock_files.bring_evidence(locked, self.places, self.store, self.progress, bases)

    def is_debians(self, locked: PackageLock) -> bool:
        """Whether Debian's signed index lists every package of an environment's lock: the index that the lock names as its evidence, else
        that which the snapshot archive has for the lock's time. False also where that cannot be found out, and for a suite that no
        environment of ours is made from: what an old one has may be known to be broken.
        """
        if locked.repositories or locked.suite not in {known.suite for known in environments.ENVIRONMENTS}:
            return False
        try:
            if locked.evidence and not self.bring_evidence(locked):
                return self._is_evident(locked)
            if self.offline:
                return False
            bases = archive.snapshot_sources(self.snapshot_archive, locked.snapshot)
            with self._index(Suite(locked.suite), bases) as index:
                return all(package.archive != "npm" and index.has(package) for package in locked.packages)
        except TeekitError as error:
            self.progress.note(f"the environment's packages are not shown to be Debian's: {error.message}")
            return False

    def _is_evident(self, locked: PackageLock) -> bool:
        found = evidence.check(locked, self.store)
        if not found.holds or found.npm:
            self.progress.note(
                "the environment's packages are not shown to be Debian's: the signed index that its lock names is not valid, or "
                f"lacks {len(found.doubts) + found.npm} of them"
            )
        return found.holds and not found.npm

    def _index_lock(self, requests: Sequence[str], suite: Suite) -> PackageLock:
        with self._index(suite) as index:
            made = archive.make_lock(index, index.resolve(requests))
            return made.with_evidence(evidence.keep(index, self.store, self.progress))

    def _build_environment(self, locked: PackageLock) -> Environment:
        files = self._files(locked, locked.packages)
        return environment.build(locked, self.store, files, self.cache / "environment", progress=self.progress)

    def _files(self, locked: PackageLock, packages: Sequence[LockedPackage]) -> list[RemoteFile]:
        """In the order of sources: archives of inputs, --mirror, the release's archives, the host's mirrors, snapshots."""
        if self.offline:
            return self._stored(packages)
        named = archive.named(self.mirror)
        others: list[tuple[str, str]] = [*archive.others(self.snapshot_archive, locked.snapshot), *locked.other_places]
        others += self._npm_registry(packages)
        return [self._remote_file(package, named, others) for package in packages]

    def _remote_file(
        self, package: LockedPackage, named: Sequence[tuple[str, str]], others: Sequence[tuple[str, str]]
    ) -> RemoteFile:
        return RemoteFile(
            f"package {package.name} {package.version}",
            package.size_bytes,
            package.digest,
            (
                *(place.blob(package.digest) for place in self.inputs),
                *package.addresses(named),
                *(place.blob(package.digest) for place in self.locations),
                *package.addresses(others),
            ),
        )

    def _npm_registry(self, packages: Sequence[LockedPackage]) -> list[tuple[str, str]]:
        """None is needed where everything is there, or archives of inputs may have it."""
        if all(item.archive != "npm" or self.store.path(item.digest).exists() for item in packages):
            return []
        try:
            return [("npm", npm.registry(self.npm_registry))]
        except TeekitError:
            if self.places:
                return []
            raise

    def _stored(self, packages: Sequence[LockedPackage]) -> list[RemoteFile]:
        files = [
            RemoteFile(
                f"package {package.name} {package.version}",
                package.size_bytes,
                package.digest,
                tuple(place.blob(package.digest) for place in self.places),
            )
            for package in packages
        ]
        if self.places:
            return files
        if missing := self.store.missing(files):
            names = ", ".join(file.name for file in missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
            raise TeekitError(
                f"{len(missing)} files are not in the download cache: {names}",
                hint="Run the same command once without --offline.",
            )
        return files
