"""Single packages of Debian, for tests: a known version by its digest, else what the suite has now, which is said."""

from __future__ import annotations

import sys
from pathlib import Path

from teekit_verify.cli.options.shared import cache_directory
from teekit_verify.core.download import DownloadError, DownloadStore
from teekit_verify.rebuild import archive
from teekit_verify.rebuild.lock import LockedPackage
from teekit_verify.rebuild.suites import Archive, Suite

OVMF_TRIXIE = LockedPackage(
    name="ovmf",
    version="2025.02-8+deb13u1",
    architecture="all",
    archive="debian",
    path="pool/main/e/edk2/ovmf_2025.02-8+deb13u1_all.deb",
    size_bytes=5779964,
    sha256="78e0d54df11fc77406cb7a0bc9a39e5bca6d1cbe06556b91d9a73491c52decdf",
)


def fetch_known_or_current(package: LockedPackage, suite: str, folder: Path) -> tuple[Path, bool]:
    """The .deb, and whether it is the known one: mirrors drop a version when the suite gets the next. `folder` is scratch."""
    try:
        return _fetch(package), True
    except DownloadError as error:
        current = _current(package.name, suite, folder)
        if sys.__stderr__:
            sys.__stderr__.write(f"\n{error}: testing {current.version} instead, whose values are not known\n")
        return _fetch(current), False


def _fetch(package: LockedPackage) -> Path:
    store = DownloadStore(cache_directory() / "downloads")
    store.fetch([package.remote_file(_mirrors())])
    return store.path(package.digest)


def _current(name: str, suite: str, folder: Path) -> LockedPackage:
    """What the suite's signed index names now."""
    index = archive.Index.download(folder / "apt", _mirrors(), suite=Suite(suite))
    return next(found for found in index.resolve([name]) if found.name == name)


def _mirrors() -> list[tuple[Archive, str]]:
    return [base for base in archive.host_mirrors() if base[0] == "debian"]
