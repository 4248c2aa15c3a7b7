"""Files: opened once, read with a limit, written whole or not at all, and folders that one run has for itself.

Recognisers look at `head` and `tail` of an OpenedInput; parsers take the mapping, the stream or the bytes of the same opening, so
that what was recognised is what is parsed, whoever writes to the name in between.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

END_BYTES = 2 * 4096
"""Of each end: more than any format needs to be told from others. A GPT in sectors of 4096 bytes is in the second."""
_HINT = "Name a writable place."
_MAX_NAME_BYTES = 255


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading. Raises TeekitError for what the system says while it is opened, and in the block.

    A pipe that nobody writes to is empty: a folder of somebody else's files must not make us wait.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as stream:
            yield stream
    except OSError as error:
        raise TeekitError(f"{path}: cannot be read: {error.strerror or error}", hint=_hint_for(path)) from error


def _hint_for(path: Path) -> str:
    """For a name that no file has: what it may have been meant for. A path has one slash where an address had two."""
    text = str(path)
    if text.startswith(("http:/", "https:/")):
        return "Download it first: a FILE is one of this machine."
    if text.startswith("~"):
        return "Write it without quotes, or the folder in full: the shell did not put your home folder in the place of '~'."
    return "Name a readable file."


def _without_waiting(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)  # once it is open, a writer is waited for
    return descriptor


@dataclass(slots=True)
class OpenedInput:
    """Not to be used after the `with` block of `open_input`. `head` and `tail` have at most END_BYTES, and overlap in small files."""

    path: Path
    stream: BinaryIO
    size_bytes: int
    head: bytes
    tail: bytes
    _beginning: bytes = field(default=b"", repr=False)

    @property
    def name(self) -> str:
        """Without folders."""
        return self.path.name

    def beginning(self, most_bytes: int) -> bytes:
        """At most so many bytes from the start; read once."""
        if len(self._beginning) < min(most_bytes, self.size_bytes):
            self.stream.seek(0)
            self._beginning = self.stream.read(most_bytes)
        return self._beginning[:most_bytes]

    def whole(self, most_bytes: int, what: str) -> bytes:
        """All bytes. Raises TeekitError for more than `most_bytes`; `what` is what is expected: "a key"."""
        return require_bounded(self.path, self.beginning(most_bytes + 1), most_bytes, what)


@contextmanager
def open_input(path: Path) -> Iterator[OpenedInput]:
    """Raises TeekitError for what the system says, while it is opened and in the block."""
    with opened(path) as stream:
        yield input_in(path, stream)


def input_in(path: Path, stream: BinaryIO) -> OpenedInput:
    """The same of a stream that is open: what a file was found to hold. `path` is what messages call it."""
    stream.seek(0)
    head = stream.read(END_BYTES)
    size_bytes = stream.seek(0, 2)
    stream.seek(max(0, size_bytes - END_BYTES))
    return OpenedInput(path, stream, size_bytes, head, stream.read(END_BYTES))


def walk(top: Path, failed: Callable[[OSError], None] = lambda _: None) -> Iterator[tuple[str, list[str], list[str]]]:
    """As os.walk from the top down, for folders of any depth: Python's own, up to 3.11, calls itself for each.

    (folder, names of folders in it, other names). The names of folders may be changed, as to which are gone into; links are not.
    """
    waiting = [os.fspath(top)]
    while waiting:
        place = waiting.pop()
        folders: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    (folders if _is_folder(entry) else names).append(entry.name)
        except OSError as error:
            failed(error)
            continue
        yield place, folders, names
        below = [os.path.join(place, name) for name in folders]  # noqa: PTH118 - names may be no Unicode
        waiting += [path for path in reversed(below) if not os.path.islink(path)]  # noqa: PTH114


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """A link that leads back to itself is none, and hides nothing of what lies beside it."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def resolved(path: Path) -> Path:
    """The absolute path without links; what is not there yet stays as it is. Raises TeekitError for links that lead in a circle.

    Path.resolve() says so in some versions of Python and not in others.
    """
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise TeekitError(f"{path} is a link that leads back to itself", hint="Name another folder.") from error
    return path.resolve()


def read_bounded(path: Path, most_bytes: int, what: str) -> bytes:
    """The whole file. Raises TeekitError, also for more than `most_bytes`; `what` is what is expected: "a key"."""
    return require_bounded(path, read_beginning(path, most_bytes + 1), most_bytes, what)


def require_bounded(path: Path, data: bytes, most_bytes: int, what: str) -> bytes:
    """The bytes, which are the file's beginning. Raises TeekitError if there are more than `most_bytes`."""
    if len(data) > most_bytes:
        raise TeekitError(
            f"{path}: has more than {_in_words(most_bytes)}, too large for {what}", hint=f"Check that it is {what}."
        )
    return data


def read_beginning(path: Path, most_bytes: int) -> bytes:
    """Up to `most_bytes` from the start of the file, to tell what it is. Raises TeekitError."""
    with opened(path) as stream:
        return stream.read(most_bytes)


def _in_words(size_bytes: int) -> str:
    """In the largest unit that it is a whole number of."""
    for unit, unit_bytes in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size_bytes % unit_bytes == 0:
            return f"{size_bytes // unit_bytes} {unit}"
    return f"{size_bytes} bytes"


def create_folder(folder: Path) -> None:
    """With its parents, if it is not there. Raises TeekitError where it cannot be made, or is something else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TeekitError(f"{folder}: cannot be created: {error.strerror}", hint=_HINT) from error


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that under its name it is either whole and on disk, or what it was before.

    For names that nobody typed: what has the name, be it a link or a pipe that somebody left in a folder, is replaced and
    never followed. Raises TeekitError where nothing can be written.
    """
    try:
        _replace(path, data)
    except OSError as error:
        raise TeekitError(f"{path}: cannot be written: {error.strerror}", hint=_HINT) from error


def write_named(path: Path, data: bytes) -> None:
    """The same for a name that the user gave: a link is followed, and what is no file (a pipe, /dev/stdout) is written to as it is."""
    try:
        if _is_no_file(path):
            path.write_bytes(data)
        else:
            _replace(resolved(path), data)
    except OSError as error:
        raise _cannot_be_written(path, error) from error


def require_writable(path: Path) -> None:
    """Whether `write_named` could write there now, for what is written after long work. Leaves nothing, changes nothing, waits for nobody.

    Raises TeekitError as `write_named` would.
    """
    try:
        if _is_no_file(path):
            _require_access(path)
        else:
            _require_replaceable(resolved(path))
    except OSError as error:
        raise _cannot_be_written(path, error) from error


def require_writable_folder(folder: Path) -> None:
    """The same for a folder, which is made with its parents where it is not there."""
    place = resolved(folder)
    try:
        while not _is_there(place):
            place = place.parent
        _try_in(place)
    except OSError as error:
        raise _cannot_be_written(folder, error) from error


def _cannot_be_written(path: Path, error: OSError) -> TeekitError:
    hint = "Create its folder first, or name another place." if error.errno == errno.ENOENT else _HINT
    return TeekitError(f"{path}: cannot be written: {error.strerror}", hint=hint)


def _is_no_file(path: Path) -> bool:
    """By what the name leads to: /dev/stdout leads to a pipe that has no path."""
    return path.exists() and not path.is_file()


def _is_there(path: Path) -> bool:
    """Raises OSError for a name that can be none, as one that is too long or goes through a file."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    return True


def _require_access(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _require_replaceable(path: Path) -> None:
    _try_in(path.parent)
    if not _is_there(path):
        return
    folder, owners = path.parent.stat(), (0, path.parent.stat().st_uid, path.stat().st_uid)
    if folder.st_mode & stat.S_ISVTX and os.geteuid() not in owners:  # as in /tmp: others' files stay (unlink(2))
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def _try_in(folder: Path) -> None:
    """Makes a file in the folder, without a name where the file system has such; it is gone again."""
    import tempfile

    with tempfile.TemporaryFile(prefix=".", suffix=".part", dir=folder):
        pass


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    if len(os.fsencode(part.name)) > _MAX_NAME_BYTES:
        part = path.with_name(".part")
    part.unlink(missing_ok=True)
    try:
        _write_through(part, data)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _write_through(path: Path, data: bytes) -> None:
    """Write a new file to the disk, not only to memory: a name must never outlive a crash with other content."""
    with open(path, "xb", opener=without_following) as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def without_following(path: str, flags: int) -> int:
    """An `opener` for `open`: fails where the last part of the name is a link."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def require_no_link(folder: Path) -> None:
    """For folders that nobody named: one may stand in a stranger's folder. Raises TeekitError for a link."""
    if folder.is_symlink():
        raise TeekitError(f"{folder} is a link", hint="Remove it, or name the folder it leads to.")


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


@contextmanager
def held(folder: Path, *, wait: bool) -> Iterator[bool]:
    """Whether this run has the folder for itself while the block lasts: without `wait` not, if another run has it.

    The folder itself is locked, so nothing is left in it. Raises TeekitError for one that cannot be made, a link, and a file system without locks.
    """
    descriptor, mine = _opened_and_locked(folder, wait=wait)
    try:
        yield mine
    finally:
        # Not by closing it alone: a process that is being started has it too, until its program runs.
        with suppress(OSError):  # of a file system without locks, which was said already
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _opened_and_locked(folder: Path, *, wait: bool) -> tuple[int, bool]:
    """Its descriptor, and whether it is ours. A folder that another run removed or renamed before it let it go is made anew."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise TeekitError(f"{folder}: cannot be created or opened: {error.strerror}", hint=_HINT) from error
        try:
            mine = _locked(descriptor, folder, wait=wait)
            if not mine or _is_still(descriptor, folder):
                return descriptor, mine
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_still(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except FileNotFoundError:
        return False


def _locked(descriptor: int, folder: Path, *, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        raise TeekitError(
            f"{folder}: cannot be locked: {error.strerror}", hint="Name a folder on a file system of this machine."
        ) from error
    return True
