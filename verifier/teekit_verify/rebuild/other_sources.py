"""Repositories that are not Debian's, in the words of apt: each with its own key, which signs for it alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from teekit_verify.rebuild.repositories import Repository

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
