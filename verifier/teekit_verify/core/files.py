"""Files that other runs read: written whole or not at all, and folders that one run has for itself."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HINT = "Name a writable place."


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that under its name it is either whole and on disk, or what it was before.

    A symlink is followed; something that is no file (a pipe, /dev/stdout) is written to as it is.
    Raises TeekitError where nothing can be written.
    """
    target = path.resolve()
    part = target.with_name(f".{target.name}.part")
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        try:
            _write_through(part, data)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise TeekitError(f"{path}: cannot be written: {error.strerror}", hint=_HINT) from error


def _write_through(path: Path, data: bytes) -> None:
    """Write to the disk, not only to memory: a name must never outlive a crash with other content."""
    with path.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold the lock file, after waiting for another run to let it go. Runs that share a cache must not write at once.

    Raises TeekitError where the lock file cannot be made.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        stream = lock.open("ab")
    except OSError as error:
        raise TeekitError(f"{lock.parent}: cannot be written: {error.strerror}", hint=_HINT) from error
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
