"""Since when a release or a statement is published: the day of the commit that added it. Whoever makes the commit writes the day."""

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
    return _added_on(folder, f"{name}/release.json", f"the release {name}", _HINT)


def filed_on(folder: Path, file: str) -> date:
    """The same of a file in a repository of statements."""
    return _added_on(folder, file, file, "Name a whole clone of the statements.")


def _added_on(folder: Path, file: str, what: str, hint: str) -> date:
    if git.read(folder, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise TeekitError(f"{folder}: is in a shallow clone, which does not show when {what} was added", hint=hint)
    argv = ("log", "--no-renames", "--diff-filter=A", "--format=%ct", "--", file)
    times = git.read(folder, *argv).split()
    if not times or not (times[-1].isascii() and times[-1].isdigit()) or int(times[-1]) > _LAST:
        raise TeekitError(f"{folder}: no commit shows when {what} was added", hint=hint)
    return datetime.fromtimestamp(int(times[-1]), UTC).date()
