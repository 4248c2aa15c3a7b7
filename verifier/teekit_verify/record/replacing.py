"""A report folder takes the place of an older one: whole, at the end, and never at the cost of the last report with a verdict.

.NAME.new    the new folder while it is written
.NAME.old    the older one while the new one takes its place; kept where the new one has no verdict and the older one had
.NAME.gone   an older one that is being removed

However a run ends, by a signal or a power cut too, the last report with a verdict is in NAME or in .NAME.old, as it was.
"""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from teekit_verify.appraisal.rebuild.verdict import Verdict
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import held, resolved
from teekit_verify.documents import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REPORT = "report.json"
_HINT = "Name another folder with --output DIR."
_NO_SPACE_HINT = (
    "Free some space, or name a folder elsewhere with --output DIR, and run it again: finished builds are kept."
)


def require_replaceable(directory: Path) -> None:
    """A report replaces an older one, and nothing else. Raises TeekitError for a folder with other things in it, or one that
    cannot be made: better before the builds than after them.
    """
    parent = next(place for place in resolved(directory).parents if place.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise TeekitError(f"{parent} cannot be written", hint=_HINT)
    if directory.exists() and not directory.is_dir():
        raise TeekitError(f"{directory} is not a folder", hint="Name a new folder with --output DIR.")
    if directory.is_dir() and any(directory.iterdir()) and not (directory / REPORT).is_file():
        raise TeekitError(f"{directory} has other files in it", hint="Name a new folder with --output DIR.")


@contextmanager
def older_named(directory: Path, note: Callable[[str], None]) -> Iterator[None]:
    """Around a run, which may end early: whose report is in the folder is said before it, and after it if there is no new one.

    Raises TeekitError for a folder that cannot give way, before the block.
    """
    _prepare(directory)
    older = _identity(directory)
    if older is None:
        yield
        return
    note(f"{directory} keeps the report of an earlier run until this run has one")
    try:
        yield
    except BaseException:
        if _identity(directory) == older:
            note(f"{directory} still has the report of an earlier run: this run made none")
        raise


def _prepare(directory: Path) -> None:
    """Bring back what a killed run left aside, and see that the folder can be renamed: a mount point cannot."""
    place = resolved(directory)
    old = _beside(place, "old")
    try:
        _remove_links(place)
        if place.exists() and not old.exists():
            place.rename(old)
        if not place.exists() and old.exists():
            old.rename(place)
    except OSError as error:
        raise TeekitError(
            f"{directory} cannot be replaced: {error.strerror}",
            hint="Name a folder in it, or another one, with --output DIR.",
        ) from error


def _identity(directory: Path) -> tuple[int, int] | None:
    try:
        found = (directory / REPORT).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def replacement(directory: Path, *, has_verdict: bool) -> Iterator[Path]:
    """A new folder that takes the place of `directory` when the block ends well. `has_verdict`: its report has one.

    Runs that write to the same folder do it one after the other: none has files of another's.
    Raises TeekitError, and leaves what was there, for whatever cannot be written.
    """
    require_replaceable(directory)
    place = resolved(directory)
    new = _beside(place, "new")
    try:
        _remove_links(place)
        with held(new, wait=True):  # another run may be writing its report, and goes first
            try:
                _empty(new)
                yield new
                # Whoever gave the report that is there its name may not be done with what that replaced.
                with held(place, wait=True) if place.exists() else nullcontext():
                    _replace(place, new, has_verdict=has_verdict)
            except BaseException:
                shutil.rmtree(new, ignore_errors=True)  # not after it was renamed: then another run may have one there
                raise
    except OSError as error:
        hint = _NO_SPACE_HINT if error.errno in {errno.ENOSPC, errno.EDQUOT} else _HINT
        raise TeekitError(f"{place} cannot be written: {error.strerror}", hint=hint) from error


def _empty(folder: Path) -> None:
    """Of what a killed run left. The folder itself is what is locked."""
    for left in folder.iterdir():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left)
        else:
            left.unlink()


def _replace(place: Path, new: Path, *, has_verdict: bool) -> None:
    """Each step leaves the last report with a verdict whole, under one of its two names."""
    old, gone = _beside(place, "old"), _beside(place, "gone")
    for path in (*new.rglob("*"), new):
        _write_through(path)
    shutil.rmtree(gone, ignore_errors=True)
    if place.exists() and old.exists() and not _has_verdict(place):
        place.rename(gone)  # what is aside already is worth more
    elif place.exists():
        if old.exists():
            old.rename(gone)
        place.rename(old)
    new.rename(place)
    _write_through(place.parent)
    shutil.rmtree(gone, ignore_errors=True)
    if has_verdict or not _has_verdict(old):
        shutil.rmtree(old, ignore_errors=True)


def _write_through(path: Path) -> None:
    """A file, or the names of a folder, to the disk: what is older is removed only after that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _has_verdict(folder: Path) -> bool:
    """Whether the folder's report judged its builds. One that cannot be read is kept as if it did; an empty folder has none."""
    file = folder / REPORT
    if not file.is_file():
        return False
    try:
        content = codec.plain_json(codec.read_bounded(file), str(file))
    except TeekitError:
        return True
    return not isinstance(content, dict) or content.get("verdict") != Verdict.FAILED.value


def _remove_links(place: Path) -> None:
    """A stranger's checkout can have links under our names: what they lead to is not ours to move, replace or remove."""
    for kind in ("new", "old", "gone"):
        if _beside(place, kind).is_symlink():
            _beside(place, kind).unlink()


def _beside(place: Path, kind: str) -> Path:
    return place.with_name(f".{place.name}.{kind}")
