"""Packages that a stranger's configuration asks for by the suite: `Packages=NAME/trixie-backports`.

A build sees the locked packages in one folder without suites, so mkosi could not find such a name. In our copy the suite is taken
off, and the lock takes the package from there: it is the only one of that name which the build sees.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from teekit_verify.core.files import read_bounded
from teekit_verify.rebuild.needs import configuration

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.rebuild.suites import Suite

_MAX_BYTES = 1 << 20
# Debian Policy, 5.6.1 (names)
_REQUEST = re.compile(rb"(?<![^\s=,])([a-z0-9][a-z0-9+.-]{1,100})/([a-z][a-z0-9-]{1,60})(?![^\s,])")
_LISTS = re.compile(
    rb"^[ \t]*(Packages|BuildPackages|VolatilePackages|InitrdPackages)[ \t]*=.*(\n[ \t]+\S.*|\n[ \t]*[#;].*)*",
    re.MULTILINE,
)


def take_suites(root: Path, suite: Suite) -> tuple[str, ...]:
    """The names of packages that the copy's configuration asks for from the backports of `suite`, sorted; in the copy it asks for
    them by the name alone. So it does where it names `suite` itself. Other suites are left, and refused by apt.
    """
    found: set[str] = set()

    def plain(match: re.Match[bytes]) -> bytes:
        if match[2].decode() not in {suite.name, suite.backports}:
            return match[0]
        if match[2].decode() == suite.backports:
            found.add(match[1].decode())
        return match[1]

    for path in configuration(root):
        data = read_bounded(path, _MAX_BYTES, "a configuration file")
        changed = _LISTS.sub(lambda block: _REQUEST.sub(plain, block[0]), data)
        if changed != data:
            path.write_bytes(changed)
    return tuple(sorted(found))
