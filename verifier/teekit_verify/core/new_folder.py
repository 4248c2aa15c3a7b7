"""A folder of files that takes the place of an earlier one at once: who reads it sees the old or the new, never some of each."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import require_no_link, without_following

if TYPE_CHECKING:
    from collections.abc import Iterable

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # fcntl.h and linux/fs.h
_EVERYBODY_READS = 0o755


def replace_folder(target: Path, files: Iterable[tuple[str, bytes]], mark: str) -> int:
    """Write `files`, (path relative to the folder, content), as the folder `target`; how many there were. Its parents are made.

    What `target` was goes, whatever is in it: so it must be nothing, empty, or have a file `mark` at its top, as the new one gets. No link is followed:
    the files are written into a folder that is new. Raises TeekitError, also what `files` raises; `target` then is what it was.
    """
    require_no_link(target)
    _require_ours(target, mark)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise _cannot(target, error) from error
    try:
        count = _write(new, files, mark)
        _swap(new, target)
    except OSError as error:
        raise _cannot(target, error) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)  # the old one, or what was not finished; it follows no link either
    return count


def _cannot(target: Path, error: OSError) -> TeekitError:
    return TeekitError(f"{target}: cannot be written: {error.strerror}", hint="Name a writable place.")


def _require_ours(target: Path, mark: str) -> None:
    try:
        names = os.listdir(target)  # noqa: PTH208 - names only
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot(target, error) from error
    if names and not (mark in names and (target / mark).is_file()):
        raise TeekitError(
            f"{target}: has other files (and no {mark}), which would be deleted",
            hint="Name a new folder, or an empty one.",
        )


def _write(new: Path, files: Iterable[tuple[str, bytes]], mark: str) -> int:
    """Not through to the disk: all of it can be made again."""
    new.chmod(_EVERYBODY_READS)
    _write_one(new / mark, b"")
    count = 0
    for name, data in files:
        path = new / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_one(path, data)
        count += 1
    return count


def _write_one(path: Path, data: bytes) -> None:
    with open(path, "xb", opener=without_following) as stream:
        stream.write(data)


def _swap(new: Path, target: Path) -> None:
    """Exchanges the two names (renameat2(2)); where the file system cannot, there is a moment without `target`."""
    if not target.exists():
        new.rename(target)
        return
    if not _exchanged(new, target):
        old = new.with_name(f"{new.name}.old")
        target.rename(old)
        new.rename(target)
        old.rename(new)


def _exchanged(new: Path, target: Path) -> bool:
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if exchange is None:  # an older C library, or another one
        return False
    return bool(exchange(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE) == 0)
