"""The pinned environments there are, by the mkosi that each has: a project is built with the one that it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from teekit_verify.core.errors import TeekitError, UnsupportedInputError, choose_from, printable
from teekit_verify.rebuild.debian_version import DebianVersion


@dataclass(frozen=True, slots=True)
class Known:
    """An environment by its name. `file` begins the names of its two files in `nix/`; `suite` is Debian's that its lock is made from.

    `has_reprepro`: its mkosi has reprepro make the index of the locked packages, which takes none without `Section:` and `Priority:`.
    """

    name: str
    file: str
    suite: str
    has_reprepro: bool = False


DEFAULT = Known("mkosi-25", "build-env", "trixie", has_reprepro=True)
ENVIRONMENTS = (DEFAULT, Known("mkosi-27", "build-env-mkosi-27", "forky"))
"""From the oldest mkosi to the newest. The first is that of our own images."""


def named(name: str) -> Known:
    """Raises TeekitError naming what there is."""
    found = next((known for known in ENVIRONMENTS if known.name == name), None)
    if found is None:
        raise TeekitError(
            f"there is no environment '{printable(name[:80])}'",
            hint=choose_from(name, (known.name for known in ENVIRONMENTS)),
        )
    return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """A version of mkosi that a file of a project asks for, by its `setting`; `file` is a path in the project."""

    version: str
    file: str
    setting: str


class Because(Enum):
    """Why an environment was taken: the user named it; a file of the project asks for that mkosi; nothing asks for another; it is that
    of our own images.
    """

    ASKED = "asked"
    WANTED = "wanted"
    DEFAULT = "default"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class EnvironmentChosen:
    """The environment by its name, and why; `wanted` is what the project's files ask for, if they do."""

    name: str
    because: Because
    wanted: Wanted | None = None


OWN = EnvironmentChosen(DEFAULT.name, Because.OWN)


def chosen(known: Known, wanted: Wanted | None, asked: Known | None) -> EnvironmentChosen:
    """`known` is what `choose` made of the others."""
    because = Because.ASKED if asked is not None else Because.DEFAULT if wanted is None else Because.WANTED
    return EnvironmentChosen(known.name, because, wanted)


def choose(versions: dict[Known, str], wanted: Wanted | None, asked: Known | None) -> Known:
    """The environment that was `asked` for, else the oldest that has what is `wanted`; `versions` are those of their mkosi.

    Raises UnsupportedInputError for a version that it, or that none, has.
    """
    if wanted is None or not versions:
        return asked or DEFAULT
    candidates = tuple(known for known in versions if asked in {None, known})
    for known in candidates:
        if DebianVersion(versions[known]) >= DebianVersion(wanted.version):
            return known
    there = ", ".join(f"{versions[known]} ({known.name})" for known in candidates)
    who = "no environment has" if asked is None else f"the environment {asked.name} has not"
    raise UnsupportedInputError(
        f"{who} mkosi {wanted.version}: {wanted.file} of the project says {wanted.setting}, "
        f"the pinned mkosi is {there}",
        hint=_hint(versions, wanted),
    )


def _hint(versions: dict[Known, str], wanted: Wanted) -> str:
    """The way out: an environment that has it, or an older commit."""
    for known, version in versions.items():
        if DebianVersion(version) >= DebianVersion(wanted.version):
            return f"Leave out --environment, or name {known.name}."
    newest = max(versions.values(), key=DebianVersion)
    return f"Rebuild a commit of the project that mkosi {newest} can build."
