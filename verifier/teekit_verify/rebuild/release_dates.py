"""Since when a release is published: the day of the commit that added it. Whoever makes the commit writes the day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import git

if TYPE_CHECKING:
    from pathlib import Path

_HINT = "Name a whole clone of the releases with --references."
_LAST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


def published_on(folder: Path, name: str) -> date:
    """The day (UTC) of the oldest commit that added `name`/release.json, in the git repository that `folder` is in.

    Raises TeekitError outside of a repository, in a shallow one (it knows no older commits), and where no commit added the release.
    """
    if git.read(folder, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise TeekitError(f"{folder}: is in a shallow clone, which does not show when a release was added", hint=_HINT)
    argv = ("log", "--no-renames", "--diff-filter=A", "--format=%ct", "--", f"{name}/release.json")
    times = git.read(folder, *argv).split()
    if not times or not (times[-1].isascii() and times[-1].isdigit()) or int(times[-1]) > _LAST:
        raise TeekitError(f"{folder}: no commit shows when the release {name} was added", hint=_HINT)
    return datetime.fromtimestamp(int(times[-1]), UTC).date()
