"""The Debian archive: where its mirrors are, and what its signed index says. apt does the resolving and the checking."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from teekit_verify.core import process, url
from teekit_verify.core.errors import TeekitError, ToolFailedError, UnsupportedInputError, printable
from teekit_verify.core.files import read_bounded, require_no_link
from teekit_verify.rebuild import apt_root, backports, other_sources, proxies
from teekit_verify.rebuild.lock import LockedPackage, LockedRepository, PackageLock
from teekit_verify.rebuild.suites import TRIXIE, Archive
from teekit_verify.rebuild.workspace import remove

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from teekit_verify.rebuild.repositories import Repository
    from teekit_verify.rebuild.suites import Suite

# A package is in the pool before the index that lists it is dated, and a snapshot is taken some hours after.
_REPREPROS = ("Section", "Priority")  # it skips packages without one of them, and fails
_SNAPSHOT_DELAY = timedelta(hours=6)
_MAX_RELEASE_BYTES = 8 << 20
_ESSENTIAL = "?essential"
# Debian Policy, 5.6.1 (names), 5.6.12 (versions)
_REQUEST = re.compile(
    r"[a-z0-9][a-z0-9+.-]{0,100}[a-z0-9+](:(amd64|all|any|native))?(=[A-Za-z0-9.+:~-]{1,100}|/[a-z][a-z0-9-]{0,60})?"
)
# apt_patterns(7), and a regular expression for names as apt-get(8) takes it: mkosi's own initrd is asked for so.
_PATTERN = re.compile(r"\?priority\((required|important|standard)\)|\^[a-z0-9][a-z0-9+.?*|()\[\]-]{1,100}\$")
_FILE_ENDINGS = (".deb", ".ddeb", ".udeb", ".dsc", ".changes", "-")
_DOMAIN = "debian.org"
_DEBIAN_MIRROR = f"http://deb.{_DOMAIN}"
_SCHEMES = ("http:", "https:", "file:")
_ERROR = "E: "
_SETUP_HINT = "Run scripts/setup_deps.sh."


class ArchiveError(TeekitError):
    """The archive cannot be reached, is not signed as it must be, or lacks what was asked for."""


def host_mirrors() -> list[tuple[Archive, str]]:
    """The mirrors of the host's own apt configuration, as (archive, base URL); Debian's own, where it names none of Debian.

    Mirrors usually keep the two archives side by side, so a host that names only `debian` is asked for the other one too.
    """
    found = _mirrors_of_apt() or [("debian", f"{_DEBIAN_MIRROR}/debian")]
    if any(archive == "debian-security" for archive, _ in found):
        return found
    return found + [("debian-security", f"{uri.rstrip('/').removesuffix('debian')}debian-security") for _, uri in found]


def _mirrors_of_apt() -> list[tuple[Archive, str]]:
    """Those with an address that anybody can ask: `mirror+file:`, `cdrom:` and the like are apt's own."""
    try:
        output = process.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], timeout_seconds=60
        ).stdout
    except TeekitError:
        return []
    return [
        (archive, uri)
        for uri in dict.fromkeys(output.decode().split())
        for archive in get_args(Archive)
        if url.last_folder(uri) == archive and uri.startswith(_SCHEMES)
    ]


def sources(mirror: str | None, snapshot_archive: str, snapshot: str | None) -> list[tuple[Archive, str]]:
    """Where to look, in order: the given mirror, the host's mirrors, the snapshot archive at the lock's time.

    A mirror is the folder that holds `debian` and `debian-security`. The host's mirrors come before the snapshot
    archive because every file is checked against its locked digest, so the nearer source is as good.
    """
    return [*named(mirror), *others(snapshot_archive, snapshot)]


def named(mirror: str | None) -> list[tuple[Archive, str]]:
    """The mirror that somebody named, if anybody did."""
    if not mirror:
        return []
    return [(archive, f"{url.require_address(mirror, 'a mirror')}/{archive}") for archive in get_args(Archive)]


def others(snapshot_archive: str, snapshot: str | None) -> list[tuple[Archive, str]]:
    """The host's mirrors, and the snapshot archive at the lock's time."""
    return [*host_mirrors(), *(snapshot_sources(snapshot_archive, snapshot) if snapshot else ())]


def snapshot_sources(snapshot_archive: str, snapshot: str) -> list[tuple[Archive, str]]:
    """The snapshot archive at a time, and nothing else."""
    address = url.require_address(snapshot_archive, "a snapshot archive")
    return [(archive, f"{address}/{archive}/{snapshot}") for archive in get_args(Archive)]


@dataclass(frozen=True, slots=True)
class Index:
    """A private apt root with the checked package index of `suite`; the host's packages and lists play no part. `suites` are those of
    which there is an index, by archive. `repositories` are not Debian's; each has an index too, signed by its own key.
    """

    root: Path
    bases: tuple[tuple[Archive, str], ...]
    snapshot: str
    suites: tuple[tuple[Archive, str], ...] = ()
    suite: Suite = TRIXIE
    repositories: tuple[Repository, ...] = ()

    @classmethod
    def download(
        cls,
        root: Path,
        bases: Sequence[tuple[Archive, str]],
        pinned_to_backports: tuple[str, ...] = (),
        suite: Suite = TRIXIE,
        repositories: tuple[Repository, ...] = (),
    ) -> Index:
        """Fetch and check the suite's index. Raises ArchiveError if no source has it, signed by the archive's key.

        Backports are only there for a project that takes packages from them. So are `repositories`, whose index must also not have
        expired: there is no archive of their past.
        """
        if not any(archive == "debian" for archive, _ in bases):
            raise ArchiveError("no Debian mirror is known", hint="Name one with --mirror URL.")
        if not apt_root.KEYRING.exists():
            raise ArchiveError(f"the archive's keyring {apt_root.KEYRING} is missing", hint=_SETUP_HINT)
        problems = []
        for chosen in _choices(bases):
            remove(root)
            suites = _suites(chosen, suite, with_backports=bool(pinned_to_backports))
            apt_root.write(root, chosen, suites, suite.components, backports.preferences(pinned_to_backports, suite))
            other_sources.write(root / "etc", f"{apt_root.PLACE}/etc", repositories)
            try:
                apt_root.run(root, "apt-get", "update", "-o", "APT::Update::Error-Mode=any")
            except ToolFailedError as error:
                problems.append(f"{_complaint(error)}{url.redacted(error.message)}{proxies.through(chosen[0][1])}")
            else:
                time = _snapshot_time(root, {other_sources.kept_name(one) for one in repositories})
                return cls(root, chosen, time, suites, suite, repositories)
        raise ArchiveError(
            f"the package index could not be fetched and checked: {f'{chr(10)}  and '.join(problems)}",
            hint=other_sources.hint(repositories) or "Check the mirror, or name another with --mirror URL.",
        )

    def resolve(self, requests: Sequence[str]) -> list[LockedPackage]:
        """The packages apt would install, in its order, on an empty system. Raises ArchiveError if it cannot."""
        for request in requests:
            require_plain(request)
        try:
            output = apt_root.run(self.root, "apt-get", "install", "--print-uris", "--yes", "--", *requests)
        except ToolFailedError as error:
            raise ArchiveError(
                f"apt cannot resolve the packages: {error.message}",
                hint="Correct the names in nix/build-env.packages, or in the image's mkosi.conf.",
            ) from error
        lines = [shlex.split(line) for line in output.splitlines() if line.startswith("'")]
        if not lines:
            raise ArchiveError(f"apt installs nothing for {' '.join(requests) or 'no request'}")
        records = self._records(["=".join(_name_and_version(file_name)) for _, file_name, *_ in lines])
        return [self._package(uri, size, records) for uri, _, size, *_ in lines]

    def require_indexable(self, packages: Sequence[LockedPackage]) -> None:
        """Raises UnsupportedInputError for a package of another repository that reprepro would not take, which mkosi 25 has index them."""
        others = {one.name: one for one in self.repositories}
        asked = [package for package in packages if package.archive in others]
        records = self._records([f"{package.name}={package.version}" for package in asked]) if asked else {}
        for package in asked:
            record = records.get(package.path, {})
            missing = next((field for field in _REPREPROS if field not in record), None)
            if missing is not None:
                raise UnsupportedInputError(
                    f"{package.name} {package.version} of {others[package.archive].address} has no {missing}:, and mkosi 25 cannot use such a "
                    "package: its reprepro refuses it",
                    hint="Build it with a newer mkosi: --environment mkosi-27.",
                )

    def has(self, package: LockedPackage) -> bool:
        """Whether the signed index lists the package with these bytes. Raises ArchiveError where it has no such name."""
        try:
            found = self._records([f"{package.name}={package.version}"]).get(package.path)
        except ToolFailedError as error:
            raise ArchiveError(f"the signed index has no {package.name} {package.version}: {error.message}") from error
        return found is not None and (found.get("SHA256"), found.get("Size")) == (
            package.sha256,
            str(package.size_bytes),
        )

    def _records(self, requests: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """Index records by pool path."""
        output = apt_root.run(self.root, "apt-cache", "show", "--no-all-versions", "--", *requests)
        records = (dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", text, re.MULTILINE)) for text in output.split("\n\n"))
        return {_plain_path(record["Filename"]): record for record in records if "Filename" in record}

    def _package(self, uri: str, size: str, records: Mapping[str, Mapping[str, str]]) -> LockedPackage:
        archive, path = self._locate(uri)
        record = records.get(path)
        if record is None or "SHA256" not in record:
            raise ArchiveError(f"the signed index has no SHA-256 for {printable(path)}")
        if record["Size"] != size:  # two archives may have different files of one path
            raise ArchiveError(
                f"apt would take {printable(path)} of {size} bytes, and the record of that path in an index says {printable(record['Size'])}",
                hint="Do not use this repository: its index names the files of another.",
            )
        try:
            return self._locked(archive, path, record)
        except (ValueError, KeyError) as error:  # pydantic's is a ValueError
            raise ArchiveError(
                f"the index of {archive} describes {printable(path)} in a way that cannot be locked",
                hint="Do not use this repository.",
            ) from error

    @staticmethod
    def _locked(archive: str, path: str, record: Mapping[str, str]) -> LockedPackage:
        return LockedPackage(
            name=record["Package"],
            version=record["Version"],
            architecture="all" if record["Architecture"] == "all" else "amd64",
            archive=archive,
            path=path,
            size_bytes=int(record["Size"]),
            sha256=record["SHA256"],
        )

    def _locate(self, uri: str) -> tuple[str, str]:
        """The longest base that fits: a repository may lie below another."""
        address = apt_root.as_apt_writes(uri)
        places = [*self.bases, *((one.name, one.base) for one in self.repositories)]
        found = [
            (folder, name)
            for name, base in places
            if address.startswith(folder := apt_root.as_apt_writes(base).rstrip("/") + "/")
        ]
        if found:
            folder, name = max(found, key=lambda place: len(place[0]))
            return name, _plain_path(address.removeprefix(folder))
        raise ArchiveError(f"apt names a file outside the configured archives: {uri}")


def require_plain(request: str) -> None:
    """A package by its name: apt takes files, patterns and what to remove in the same place, and a project names these."""
    if request == _ESSENTIAL or _PATTERN.fullmatch(request):
        return
    if not _REQUEST.fullmatch(request) or request.endswith(_FILE_ENDINGS):
        raise ArchiveError(
            f"'{printable(request[:120])}' is not a plain name of a package",
            hint="Name it as NAME, NAME=VERSION or NAME/SUITE in Packages=.",
        )


def _plain_path(path: str) -> str:
    """A flat repository's paths often begin at the folder itself: `./name.deb`."""
    return path.removeprefix("./")


def _complaint(error: ToolFailedError) -> str:
    """What apt says of its own failure, before the whole of what it printed."""
    said = next((line for line in error.output if line.startswith(_ERROR)), None)
    return "" if said is None else f"{printable(url.redacted(said.removeprefix(_ERROR)))}; "


def _choices(bases: Sequence[tuple[Archive, str]]) -> list[tuple[tuple[Archive, str], ...]]:
    """The first mirror of each archive, then the second of each, and so on: what one mirror has fits together."""
    of_each = {name: [base for base in dict.fromkeys(bases) if base[0] == name] for name in get_args(Archive)}
    columns = [found for found in of_each.values() if found]
    rows = (tuple(found[min(row, len(found) - 1)] for found in columns) for row in range(max(map(len, columns))))
    return list(dict.fromkeys(rows))


def _name_and_version(file_name: str) -> tuple[str, str]:
    """Apt's file name (name_version_architecture.deb, percent-encoded) -> package name and version."""
    name, version, _ = url.decoded(file_name).split("_")
    return name, version


def _suites(
    bases: Sequence[tuple[Archive, str]], suite: Suite, *, with_backports: bool
) -> tuple[tuple[Archive, str], ...]:
    found = dict.fromkeys((archive, name) for archive, _ in bases for name in suite.of(archive))
    return tuple(item for item in found if with_backports or item[1] != suite.backports)


def _snapshot_time(root: Path, others: Collection[str] = ()) -> str:
    """Of Debian's own: the dates of other repositories say nothing of its snapshots."""
    dates = []
    for release in (place for place in (root / "lists").glob("*_InRelease") if place.name not in others):
        date = re.search(r"^Date: (.*)$", read_release(release).decode(errors="replace"), re.MULTILINE)
        if date is not None:
            dates.append(parsedate_to_datetime(date[1]).astimezone(UTC))
    if not dates:
        raise ArchiveError("the archive's Release files have no date")
    return (max(dates) + _SNAPSHOT_DELAY).strftime("%Y%m%dT%H%M%SZ")


def read_release(path: Path) -> bytes:
    """What apt keeps of a suite, in a folder that its sandbox has filled. Raises TeekitError, also for a link."""
    require_no_link(path)
    return read_bounded(path, _MAX_RELEASE_BYTES, "an InRelease file")


def make_lock(
    index: Index, packages: Sequence[LockedPackage], repositories: tuple[LockedRepository, ...] = ()
) -> PackageLock:
    """Raises ArchiveError where there is nothing to lock, and where two packages would be one file of what a build sees."""
    if not packages:
        raise ArchiveError("the project asks for no packages", hint="Name at least one in Packages=.")
    for name, count in Counter(package.file_name for package in packages).items():
        if count > 1:
            raise ArchiveError(
                f"two of the packages have the file name {printable(name)}, and builds see all packages in one folder",
                hint="Do not use a repository that gives its files the names of others.",
            )
    return PackageLock(
        schema_name="teekit-verify/package-lock/v1",
        suite=index.suite.name,
        snapshot=index.snapshot,
        repositories=repositories,
        packages=tuple(packages),
    )
