"""Repositories that are not Debian's, in the words of apt: each with its own key, which signs for it alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from teekit_verify.rebuild import apt_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from teekit_verify.rebuild.lock import LockedPackage
    from teekit_verify.rebuild.repositories import Repository
    from teekit_verify.rebuild.suites import Archive

# What apt writes in hexadecimal in the names of the files that it keeps (apt, strutl.cc, URItoFileName).
_QUOTED = re.compile(r"""[\\|{}\[\]<>"^~_=!@#$%&*]""")


def write(folder: Path, place: str, repositories: Iterable[Repository]) -> None:
    """A file of sources and one for each key in `folder`, which apt sees at `place`. It has neither where there is none."""
    lines = []
    for one in repositories:
        (folder / "keys").mkdir(exist_ok=True)
        (folder / "keys" / f"{one.name}.gpg").write_bytes(one.key)
        options = f"signed-by={place}/keys/{one.name}.gpg arch=amd64 check-valid-until=yes check-date=yes"
        lines.append(f"deb [{options}] {one.address} {one.suite} {' '.join(one.components)}".rstrip() + "\n")
    if lines:
        (folder / "sources.list.d" / "others.list").write_text("".join(lines))


def kept_name(one: Repository) -> str:
    """Of the InRelease file that apt keeps of it."""
    place = f"{one.index}/InRelease".partition("://")[2]
    quoted = _QUOTED.sub(lambda found: f"%{ord(found[0]):02x}", place)
    return quoted.replace("/", "_")


def hint(repositories: Sequence[Repository]) -> str | None:
    """What to check where an index with these could not be fetched."""
    if not repositories:
        return None
    names = ", ".join(one.address for one in repositories)
    return f"Check that the mirror and the allowed repositories ({names}) are reachable, current, and signed by the keys you gave."


def replaced(
    root: Path,
    bases: Iterable[tuple[Archive, str]],
    repositories: Sequence[Repository],
    packages: Iterable[LockedPackage],
) -> dict[str, tuple[str, ...]]:
    """Of each repository that is not Debian's, the names of packages that were taken from it although Debian has some of that name."""
    others = [package for package in packages if package.archive in {one.name for one in repositories}]
    if not others:
        return {}
    output = apt_root.run(root, "apt-cache", "madison", "--", *sorted({package.name for package in others}))
    rows = [[part.strip() for part in line.split("|")] for line in output.splitlines()]
    places = tuple(apt_root.as_apt_writes(base).rstrip("/") for _, base in bases)
    of_debian = {
        name for name, _, source in rows if apt_root.as_apt_writes(source.partition(" ")[0]).rstrip("/") in places
    }
    return {
        one.name: tuple(sorted({item.name for item in others if item.archive == one.name and item.name in of_debian}))
        for one in repositories
    }
