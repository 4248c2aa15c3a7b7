"""Suites of Debian's archive: which of them the packages of a lock may come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Archive = Literal["debian", "debian-security"]
Component = Literal["main", "contrib", "non-free", "non-free-firmware"]
MAIN: Component = "main"
COMPONENTS: tuple[Component, ...] = get_args(Component)
"""Debian Policy, 2.2; non-free-firmware since Debian 12."""
RELEASES = ("bullseye", "bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable")
"""Code names of releases whose archive is served by mirrors, and the names that move on from one to the next."""
_ALONE = frozenset({"sid", "unstable"})
_WITHOUT_BACKPORTS = frozenset({*_ALONE, "testing", "forky"})


@dataclass(frozen=True, slots=True)
class Suite:
    """A release, with the suites that add to it; `components` are those of its archive that packages may come from."""

    name: str = "trixie"
    components: tuple[Component, ...] = (MAIN,)

    @property
    def backports(self) -> str | None:
        """None for a release that has none: what is newer is in it already."""
        return None if self.name in _WITHOUT_BACKPORTS else f"{self.name}-backports"

    def of(self, archive: Archive) -> tuple[str, ...]:
        """The suites of one archive, backports among them."""
        if archive == "debian-security":
            return () if self.name in _ALONE else (f"{self.name}-security",)
        if self.name in _ALONE:
            return (self.name,)
        return (self.name, f"{self.name}-updates", *([self.backports] if self.backports else []))


TRIXIE = Suite()
