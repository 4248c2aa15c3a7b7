"""The version of a stranger's image, where a program says it: `mkosi.version` that asks git or the clock.

mkosi runs it each time that it reads the configuration, where there is neither git nor a repository, and the clock says something else
each time. So in our copy it is a text, the same for both builds, that the report has.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import resolved, walk
from teekit_verify.rebuild.smells import LEFT_OUT, Smell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAME = "mkosi.version"
_OPTION = "--image-version="
_DIGITS = 12
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~^-]{0,100}")  # UAPI group, version format specification
_WHY = "a program says it, by git or by the clock, say; give the one that was published with --mkosi-args --image-version=VERSION"


def fix(root: Path, arguments: Sequence[str], commit: str | None) -> tuple[Smell, ...]:
    """Give the programs' places a text: what the arguments say, else the beginning of the commit's name, else 0. What was fixed."""
    places = sorted(_programs(root))
    if not places:
        return ()
    version = _given(arguments) or (commit or "0")[:_DIGITS]
    for place in places:
        place.unlink()  # of a link, not what it leads to
        place.write_text(f"{version}\n")
        place.chmod(0o644)
    return tuple(
        Smell("version of the image, fixed for both builds", place.relative_to(root).as_posix(), 0, version, _WHY)
        for place in places
    )


def _given(arguments: Sequence[str]) -> str | None:
    named = [word.removeprefix(_OPTION) for word in arguments if word.startswith(_OPTION)]
    if not named:
        return None
    if not _VERSION.fullmatch(named[-1]):
        raise TeekitError(
            f"'{printable(named[-1][:80])}' is not a version of an image", hint="Write it like --image-version=1.2.3."
        )
    return named[-1]


def _programs(root: Path) -> Iterator[Path]:
    for place, folders, names in walk(root):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        path = Path(place, _NAME)
        if _NAME in names and path.is_file() and os.access(path, os.X_OK) and _is_inside(path, root):
            yield path


def _is_inside(path: Path, root: Path) -> bool:
    """Not a link to something of this machine, which no build sees."""
    return not path.is_symlink() or resolved(path).is_relative_to(root.resolve())
