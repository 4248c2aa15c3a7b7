"""What a stranger's project asks of mkosi before any of it is run: a version, and where its configuration is.

Read from the text of the files that mkosi surely takes, before anything is fetched. What is conditional is mkosi's to judge.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, UnsupportedInputError, printable
from teekit_verify.core.files import walk
from teekit_verify.rebuild import environments
from teekit_verify.rebuild.debian_version import DebianVersion
from teekit_verify.rebuild.environments import Wanted
from teekit_verify.rebuild.smells import LEFT_OUT
from teekit_verify.rebuild.taken import DROP_INS, INCLUDE, MAIN, settings, taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from teekit_verify.rebuild.environments import EnvironmentChosen, Known
    from teekit_verify.rebuild.lock import PackageLock

_MAX_FOLDERS = 1000
_MAX_DEPTH = 4
_MAX_SHOWN = 3
_WANTED = re.compile(r"[ \t]*MinimumVersion[ \t]*=[ \t]*([0-9][0-9A-Za-z.~+^-]{0,40})[ \t]*")
_COMMIT = re.compile(r"[ \t]*MinimumVersion[ \t]*=[ \t]*commit:([0-9a-zA-Z]{0,40}).*")
"""Of mkosi's repository (mkosi(1), since 26; before, it passed as a version that is older than any)."""
_SNAPSHOT = re.compile(r"[ \t]*Snapshot[ \t]*=[ \t]*\S")
_WITH_SNAPSHOT = "26"
"""The first version that knows `Snapshot=`, and `ToolsTree=yes`, or no: before, these were paths of trees."""
_SECTION = re.compile(r"\[(Distribution|Output|Content|Include|Config)\]")
_INCLUDED = re.compile(r"^[ \t]*Include[ \t]*=(.*(?:\n[ \t]+\S.*)*)", re.MULTILINE)
_TOOLS = re.compile(r"[ \t]*ToolsTree[ \t]*=[ \t]*(?P<value>yes|no)[ \t]*")
_FORMER = ("mkosi.presets", "mkosi.default", "mkosi.default.d")
"""Where mkosi looked until versions 18 and 14: news of v19 and v14, mkosi.news(7)."""
_OTHERWISE = (INCLUDE, "--profile=", "--format=")  # configuration that needs no mkosi.conf
_OWN_FOLDERS = re.compile(r"mkosi\.")


def require(
    root: Path, arguments: Sequence[str], locks: Mapping[Known, PackageLock], asked: Known | None = None
) -> Known:
    """The environment that the project is built with: the one `asked` for, else the oldest that has the mkosi which it wants.

    Raises TeekitError for a version of mkosi that none has, and for a project without configuration where mkosi looks.
    """
    versions = {known: version for known, locked in locks.items() if (version := _mkosi_of(locked)) is not None}
    found = environments.choose(versions, _highest(root, arguments), asked)
    _require_configuration(root, arguments)
    return found


def chosen(root: Path, arguments: Sequence[str], taken_one: Known, asked: Known | None) -> EnvironmentChosen:
    """Why `require` took that one."""
    return environments.chosen(taken_one, _highest(root, arguments), asked)


def others(
    root: Path, arguments: Sequence[str], locks: Mapping[Known, PackageLock], taken_one: Known
) -> tuple[Known, ...]:
    """Environments besides the one that was taken whose mkosi is as new as the project asks for."""
    wanted = _highest(root, arguments)
    return tuple(
        known
        for known, locked in locks.items()
        if known is not taken_one
        and (version := _mkosi_of(locked)) is not None
        and (wanted is None or DebianVersion(version) >= DebianVersion(wanted.version))
    )


def _mkosi_of(locked: PackageLock) -> str | None:
    """The version without Debian's revision."""
    version = next((item.version for item in locked.packages if item.name == "mkosi"), None)
    return version and (version.rpartition("-")[0] or version)


def _highest(root: Path, arguments: Sequence[str]) -> Wanted | None:
    found = [
        wanted for path in taken(root, arguments).files for wanted in _wanted(path, path.relative_to(root).as_posix())
    ]
    return max(found, key=lambda wanted: DebianVersion(wanted.version), default=None)


def _wanted(path: Path, name: str) -> Iterator[Wanted]:
    for line in settings(path):
        if (match := _WANTED.fullmatch(line)) is not None:
            yield Wanted(match[1], printable(name), f"MinimumVersion={match[1]}")
        elif (match := _COMMIT.fullmatch(line)) is not None:
            raise UnsupportedInputError(
                f"no environment has mkosi from its repository: {printable(name)} of the project says "
                f"MinimumVersion=commit:{match[1]}, and the pinned ones are releases",
                hint="Rebuild a commit of the project that asks for a release of mkosi.",
            )
        elif _SNAPSHOT.match(line):
            yield Wanted(_WITH_SNAPSHOT, printable(name), "Snapshot=")
        elif (match := _TOOLS.fullmatch(line)) is not None:
            yield Wanted(_WITH_SNAPSHOT, printable(name), f"ToolsTree={match['value']}")


def _require_configuration(root: Path, arguments: Sequence[str]) -> None:
    for name in _FORMER:
        if (root / name).exists() and (name == _FORMER[0] or not _is_there(root)):
            raise UnsupportedInputError(
                f"the project has its configuration in {name}, where mkosi does not look any more",
                hint="Rebuild a commit of the project that has a mkosi.conf.",
            )
    if any(word.startswith(_OTHERWISE) for word in arguments) or _is_there(root):
        return
    found = _outermost(root, list(islice(_elsewhere(root), _MAX_FOLDERS)))
    if not found:
        raise TeekitError(
            "the folder is no mkosi project: there is neither mkosi.conf nor mkosi.conf.d in it",
            hint="Name the folder with the project's mkosi.conf: --source DIR.",
        )
    shown = ", ".join(found[:_MAX_SHOWN]) + (" and more" if len(found) > _MAX_SHOWN else "")
    file = next((name for name in found if name.endswith(".conf")), None)
    raise TeekitError(
        f"the project has no mkosi.conf where mkosi looks for it, but configuration in {printable(shown)}",
        hint=f"Choose one with --mkosi-args '{INCLUDE}{file}'."
        if file
        else f"Choose one of them: --source DIR/{found[0]}.",
    )


def _is_there(root: Path) -> bool:
    return any((root / name).exists() for name in (*MAIN, DROP_INS))


def _outermost(root: Path, found: Sequence[str]) -> list[str]:
    """Without what others of them include: that is a part of an image."""
    parts = {
        os.path.normpath(above / word)
        for name in found
        for path in (root / name, root / name / MAIN[0])
        for above in (root, path.parent)
        for match in _INCLUDED.findall("\n".join(settings(path)))
        for word in re.split(r"[\s,]+", match)[:_MAX_FOLDERS]
    }
    return [name for name in found if os.path.normpath(root / name) not in parts] or list(found)


def _elsewhere(root: Path) -> Iterator[str]:
    """Folders with a mkosi.conf, and other files of that form, not deep in the project."""
    for number, (place, folders, names) in enumerate(walk(root)):
        depth = len(Path(place).relative_to(root).parts)
        folders[:] = sorted(
            name for name in folders if depth < _MAX_DEPTH and name not in LEFT_OUT and not _OWN_FOLDERS.match(name)
        )
        if number > _MAX_FOLDERS:
            return
        here = Path(place).relative_to(root)
        if "mkosi.conf" in names:
            yield here.as_posix()
            continue
        for name in sorted(names):
            if name.endswith(".conf") and any(map(_SECTION.match, settings(Path(place, name)))):
                yield (here / name).as_posix()
