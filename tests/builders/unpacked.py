"""Programs of Debian's sid, unpacked into a folder: those that judge what we write."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from builders.debian import fetch_known_or_current
from builders.tools import require
from teekit_verify.rebuild.lock import LockedPackage

if TYPE_CHECKING:
    from pathlib import Path


def unpack(known: str, folder: Path) -> Path:
    """The tree of packages that lines name: name, version, folder in pool/main, size, SHA-256. Newer ones where a mirror has dropped these."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    for line in known.split("\n")[1:-1]:
        name, version, source, size, sha256 = line.split()
        package = LockedPackage(
            name=name,
            version=version,
            architecture="amd64",
            archive="debian",
            path=f"pool/main/{source}/{name}_{version.partition(':')[2] or version}_amd64.deb",
            size_bytes=int(size),
            sha256=sha256,
        )
        deb, _ = fetch_known_or_current(package, "sid", folder / name)
        subprocess.run([require("dpkg-deb"), "-x", deb, tree], check=True)
    return tree


def with_own_library(tree: Path, name: str) -> list[str]:
    """How a program of it is started with the C library of its own suite, which the tree has."""
    libraries = tree / "usr/lib/x86_64-linux-gnu"
    return [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries), str(tree / "usr/bin" / name)]
