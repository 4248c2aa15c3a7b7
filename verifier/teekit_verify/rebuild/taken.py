"""Which of a project's files mkosi takes as configuration: the main one, what it includes, profiles that are named, subimages.

Read from the text, before any of it is run. What is conditional, or computed, is mkosi's to judge: it is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.rebuild.smells import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MAX_BYTES = 1 << 20
_MAX_PLACES = 1000
MAIN = ("mkosi.conf", "mkosi.local.conf")
DROP_INS, PROFILES = "mkosi.conf.d", "mkosi.profiles"
INCLUDE, _PROFILE = "--include=", "--profile="
_CONDITION = re.compile(r"[ \t]*\[(Trigger)?Match\]")
_ONE_MATCH = re.compile(r"[ \t]*\[Match\][ \t]*")
_SECTION = re.compile(r"[ \t]*\[")
_OF = re.compile(r"[ \t]*Distribution[ \t]*=[ \t]*([a-z][a-z0-9-]*)[ \t]*")
_LIST = re.compile(r"^[ \t]*(Include|Profiles)[ \t]*=(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)


@dataclass(slots=True)
class _Walk:
    root: Path
    files: dict[Path, None] = field(default_factory=dict)
    folders: dict[Path, None] = field(default_factory=dict)

    def take(self, place: Path) -> None:
        """A file, or a folder with its own."""
        if len(self.files) + len(self.folders) >= _MAX_PLACES or place in self.files or place in self.folders:
            return
        if place.is_symlink() or not place.is_relative_to(self.root):
            return
        if place.is_dir():
            self._take_folder(place)
        elif place.is_file():
            self._take_file(place, self.root)

    def _take_folder(self, folder: Path) -> None:
        if is_conditional(folder / MAIN[0]):
            return
        self.folders[folder] = None
        for name in MAIN:
            if (folder / name).is_file() and not (folder / name).is_symlink():
                self._take_file(folder / name, folder)
        drop_ins = folder / DROP_INS
        for place in sorted(drop_ins.iterdir()) if drop_ins.is_dir() and not drop_ins.is_symlink() else ():
            if place.is_dir() or place.suffix == ".conf":
                self.take(place)

    def _take_file(self, path: Path, folder: Path) -> None:
        if path in self.files or is_conditional(path):
            return
        self.files[path] = None
        for kind, value in _LIST.findall("\n".join(settings(path))):
            for word in re.split(r"[\s,]+", value.strip()):
                self._take_named(word, kind == "Profiles", folder)

    def _take_named(self, word: str, is_profile: bool, folder: Path) -> None:  # noqa: FBT001
        if not word or ".." in Path(word).parts or word.startswith("/"):
            return
        if is_profile:
            self.take_profiles((word,))
        else:
            self.take(folder / word)
            self.take(self.root / word)

    def take_profiles(self, names: Iterable[str]) -> None:
        for name in names:
            for place in (self.root / PROFILES / name, self.root / PROFILES / f"{name}.conf"):
                if ".." not in place.parts:
                    self.take(place)


@dataclass(frozen=True, slots=True)
class Taken:
    """Files, and folders of which mkosi takes scripts by their names too."""

    files: tuple[Path, ...]
    folders: tuple[Path, ...]


def taken(root: Path, arguments: Sequence[str]) -> Taken:
    """`arguments` are options of mkosi, each with its value."""
    walk = _Walk(root)
    walk.take(root)
    images = root / "mkosi.images"
    for image in sorted(images.iterdir()) if images.is_dir() and not images.is_symlink() else ():
        walk.take(image)
    for word in arguments:
        if word.startswith(_PROFILE):
            walk.take_profiles(word.removeprefix(_PROFILE).split(","))
        elif word.startswith(INCLUDE) and ".." not in Path(word.removeprefix(INCLUDE)).parts:
            walk.take(root / word.removeprefix(INCLUDE))
    return Taken(tuple(walk.files), tuple(walk.folders))


def is_conditional(path: Path) -> bool:
    """Whether mkosi takes the file only where something holds."""
    return any(map(_CONDITION.match, settings(path)))


def is_of_others(path: Path, distribution: str) -> bool:
    return bool(names_of_others(path, distribution))


def names_of_others(path: Path, distribution: str) -> tuple[str, ...]:
    """The distributions that the file's one condition names, all of them others; else none. What is more intricate is mkosi's to judge."""
    text = settings(path)
    if sum(map(bool, map(_CONDITION.match, text))) != 1:
        return ()
    begin = next((number for number, line in enumerate(text) if _ONE_MATCH.fullmatch(line)), len(text))
    section = list(takewhile(lambda line: not _SECTION.match(line), text[begin + 1 :]))
    wanted = [line for line in section if line.lstrip().startswith("Distribution")]
    names = [match[1] for match in map(_OF.fullmatch, wanted) if match is not None]
    return tuple(names) if len(names) == len(wanted) and distribution not in names else ()


def settings(path: Path) -> list[str]:
    """The lines of a file of configuration that say something; mkosi takes what follows a `#` anywhere for a comment."""
    plain = (line.partition("#")[0].rstrip() for line in lines(path))
    return [line for line in plain if line]


def lines(path: Path) -> list[str]:
    """None of what is no plain file, or too long for one of configuration."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _MAX_BYTES:
        return []
    return lines_of(path.read_bytes())


def scripts_of(folder: Path, names: re.Pattern[str]) -> Iterator[Path]:
    """Files in a folder, or in folders of it, whose name matches: `mkosi.build`, `mkosi.build.chroot`, `mkosi.build.d/x`."""
    for place in sorted(folder.iterdir()):
        if not names.match(place.name) or place.is_symlink():
            continue
        if place.is_dir():
            yield from (path for path in sorted(place.iterdir()) if path.is_file() and not path.is_symlink())
        elif place.is_file():
            yield place
