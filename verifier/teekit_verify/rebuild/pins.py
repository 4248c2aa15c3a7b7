"""A time that a stranger's project pins its packages to: honoured by a lock of that time, or refused by its name.

mkosi has two ways to say it (mkosi(1), [Distribution]): `Mirror=` with the time at its end, as snapshot archives have it, and
from version 26 on `Snapshot=`. An older one does not know the second, so for it that line is taken out of our copy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import url
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import read_bounded, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAX_BYTES = 1 << 20
_SHOWN = 120
_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_SNAPSHOT = re.compile(rb"^(Snapshot[ \t]*=[ \t]*)([^\n]*)$", re.MULTILINE)
_FILES = frozenset({"mkosi.conf", "mkosi.local.conf"})
_FOLDERS = frozenset({"mkosi.conf.d", "mkosi.profiles", "mkosi.images"})
_OTHERS = frozenset({"mkosi.extra", "mkosi.skeleton", "mkosi.sandbox", "mkosi.repart", "mkosi.uki-profiles"})
_HINT = "Write it like Snapshot=20260430T025253Z, or give the time with --snapshot after removing the setting."


@dataclass(frozen=True, slots=True)
class Pin:
    """A time, and the setting that names it: `Mirror=…/20260430T025253Z`."""

    time: str
    setting: str


def take_snapshots(root: Path) -> tuple[Pin, ...]:
    """The `Snapshot=` of all of mkosi's configuration files in the copy, whose lines become comments.

    Raises TeekitError for one that is no time.
    """
    found = []
    for path in _configuration(root):
        data = read_bounded(path, _MAX_BYTES, "a configuration file")
        values = [match[2].decode(errors="replace").strip() for match in _SNAPSHOT.finditer(data)]
        if values:
            found += [pin(value, f"Snapshot={value}") for value in values if value]
            path.write_bytes(_SNAPSHOT.sub(rb"# locked: \1\2", data))
    return tuple(found)


def _configuration(root: Path) -> Iterator[Path]:
    for place, folders, names in walk(root):
        folders[:] = sorted(name for name in folders if name not in _OTHERS)
        for name in sorted(names):
            path = Path(place, name)
            belongs = name in _FILES or (path.suffix == ".conf" and path.parent.name in _FOLDERS)
            if belongs and path.is_file() and not path.is_symlink():
                yield path


def of_mirror(mirror: object) -> tuple[Pin, ...]:
    """The time in a `Mirror=`, if it is one of a snapshot archive. Raises TeekitError for what is no mirror of Debian's archive:
    its packages would silently be others than those that are locked here.
    """
    if mirror is None:
        return ()
    address = str(mirror).rstrip("/")
    head, _, last = address.rpartition("/")
    setting = f"Mirror={mirror}"
    if address.isprintable() and address.isascii():
        if url.last_folder(address) == "debian":
            return ()
        if url.last_folder(head) == "debian" and re.match(r"[0-9]", last):
            return (pin(last, setting),)
    raise TeekitError(
        f"the project has '{printable(setting[:_SHOWN])}', which is not a mirror of Debian's archive",
        hint="Remove it, or name a mirror whose address ends in /debian, or in /debian/TIME.",
    )


def of_snapshot(snapshot: object) -> tuple[Pin, ...]:
    """What mkosi says of `Snapshot=`. Raises TeekitError for one that is no time."""
    return () if snapshot is None else (pin(str(snapshot), f"Snapshot={snapshot}"),)


def pin(value: str, setting: str) -> Pin:
    """Raises TeekitError for what is no time."""
    if not _TIME.fullmatch(value):
        raise TeekitError(f"the project has '{printable(setting[:_SHOWN])}', which names no time", hint=_HINT)
    return Pin(value, setting)


def agreed(pins: Iterable[Pin], given: str | None) -> str | None:
    """The one time of all pins and of --snapshot; None without any. Raises TeekitError where they disagree."""
    named = tuple(pins)
    for one in named:
        wanted = given if given is not None else named[0].time
        if one.time != wanted:
            other = f"--snapshot {given}" if given is not None else f"'{printable(named[0].setting[:_SHOWN])}'"
            raise TeekitError(
                f"the project has '{printable(one.setting[:_SHOWN])}', which disagrees with {printable(other)}",
                hint="Rebuild it with one time: packages of two are not one input.",
            )
    return named[0].time if named else given
