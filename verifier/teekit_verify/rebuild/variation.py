"""What differs on purpose between build A and build B, by reprotest's names."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.rebuild.sandbox import FIRST_ID, ID_COUNT, own_first_id

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT = "default"
_PATH = "/usr/sbin:/usr/bin"


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of one build, a field for each variation.

    `build_path` is where it sees the source, `exec_path` its PATH, `num_cpus` the numbers of its processors, `aslr` whether
    addresses are random, `fileordering` whether folders of the source are filled backwards, and `user_group` the host's id
    of its root (None: the ids that subuid(5) gives the user).
    """

    build_path: str
    domain_host: str
    timezone: str
    locales: str
    umask: int
    num_cpus: tuple[int, ...]
    home: str
    exec_path: str
    environment: tuple[tuple[str, str], ...]
    aslr: bool
    fileordering: bool
    user_group: int | None

    def variables(self) -> dict[str, str]:
        """The whole environment of the build."""
        return {
            "PATH": self.exec_path,
            "HOME": self.home,
            "TZ": self.timezone,
            "LANG": self.locales,
            "LC_ALL": self.locales,
            **dict(self.environment),
        }

    def recorded(self) -> dict[str, tuple[str, ...]]:
        """What the build could have recorded of them: variation -> values. A mode, an order or random addresses have none."""
        return {
            "build_path": (self.build_path,),
            "domain_host": (self.domain_host,),
            "timezone": (self.timezone,),
            "locales": (self.locales,),
            "num_cpus": (str(len(self.num_cpus)),),
            "home": (self.home,),
            "exec_path": (self.exec_path,),
            "environment": tuple(value for _, value in self.environment),
            "user_group": () if self.user_group is None else (str(self.user_group),),
        }

    def described(self) -> dict[str, str]:
        """For a report: variation -> value, in words."""
        return {
            "build_path": self.build_path,
            "domain_host": self.domain_host,
            "timezone": self.timezone,
            "locales": self.locales,
            "umask": f"{self.umask:04o}",
            "num_cpus": str(len(self.num_cpus)),
            "home": self.home,
            "exec_path": self.exec_path,
            "environment": " ".join(f"{name}={value}" for name, value in self.environment) or "nothing added",
            "aslr": "random addresses" if self.aslr else "the same addresses every time",
            "fileordering": "folders filled backwards" if self.fileordering else "folders filled in the order of names",
            "user_group": "the user's subordinate ids"
            if self.user_group is None
            else f"host ids from {self.user_group}",
        }


NAMES = tuple(field.name for field in fields(Conditions))
# What reprotest, or a reader of the list above, would ask for, and why it is never varied.
NEVER: Mapping[str, str] = {
    "time": "no safe means: faketime does not affect static programs and sandboxes inside the build, a time namespace leaves "
    "the clock alone; build B only starts later",
    "kernel": "both builds run on this host's kernel",
    "download_cache": "there is none to be cold or warm: both builds see the same checked files",
}


@dataclass(frozen=True, slots=True)
class Variations:
    """The conditions of build A and of build B, and why what does not differ does not: variation -> reason."""

    first: Conditions
    second: Conditions
    off: Mapping[str, str]


def conditions(asked: str = DEFAULT) -> Variations:
    """`asked` is what --vary says. Raises TeekitError for a name it does not know, or one that is asked for and impossible here."""
    impossible = _impossible()
    chosen = _choose(asked, impossible)
    first, second = _first(), _second()
    varied = {name: getattr(second, name) for name in NAMES if name in chosen}
    return Variations(
        first,
        replace(first, **varied),
        {name: impossible.get(name, "not asked for") for name in (*NAMES, *NEVER) if name not in chosen},
    )


def _first() -> Conditions:
    return Conditions(
        build_path="/build/source",
        domain_host="first",
        timezone="GMT+12",
        locales="C.UTF-8",
        umask=0o022,
        num_cpus=_processors(),
        home="/home/first",
        exec_path=_PATH,
        environment=(),
        aslr=False,
        fileordering=False,
        user_group=own_first_id(),
    )


def _second() -> Conditions:
    return Conditions(
        build_path="/srv/another-place/second/source.tree",
        domain_host="second.example.org",
        timezone="GMT-14",
        locales="et_EE.UTF-8",
        umask=0o002,
        num_cpus=_processors()[:1],
        home="/home/second-build",
        exec_path=f"{_PATH}:/i-capture-the-path",
        environment=(("SOURCE_DATE_EPOCH", "1234567890"), ("TEEKIT_VARIATION", "i-am-captured")),
        aslr=True,
        fileordering=True,
        user_group=FIRST_ID + ID_COUNT,
    )


def _processors() -> tuple[int, ...]:
    return tuple(sorted(os.sched_getaffinity(0)))


def _impossible() -> dict[str, str]:
    reasons = dict(NEVER)
    if len(_processors()) == 1:
        reasons["num_cpus"] = "there is only one processor"
    if os.geteuid() != 0:
        reasons["user_group"] = "only root may choose the ids that a build has on the host"
    return reasons


def _choose(asked: str, impossible: Mapping[str, str]) -> frozenset[str]:
    """`none`, `default` (all that is possible here) or `all` (or refuse); then, or instead, +name and -name."""
    possible = frozenset(NAMES) - impossible.keys()
    start, *changes = asked.split(",")
    if start[:1] in {"+", "-"}:
        start, changes = DEFAULT, [start, *changes]
    bases = {"none": frozenset[str](), DEFAULT: possible, "all": frozenset(NAMES)}
    if start not in bases:
        raise _unknown(start)
    chosen = set(bases[start])
    for change in changes:
        sign, name = change[:1], change[1:]
        if sign not in {"+", "-"} or name not in {*NAMES, *NEVER}:
            raise _unknown(change)
        (chosen.add if sign == "+" else chosen.discard)(name)
    for name in sorted(chosen - possible):
        raise TeekitError(f"{name} cannot be varied: {impossible[name]}", hint=f"Leave it out: --vary {asked},-{name}.")
    return frozenset(chosen)


def _unknown(word: str) -> TeekitError:
    return TeekitError(
        f"--vary does not know {printable(word)!r}",
        hint=f"Say none, default or all, and +NAME or -NAME, separated by commas; names are {', '.join(NAMES)}.",
    )
