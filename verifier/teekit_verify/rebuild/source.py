"""The source of an image: the `mkosi/` folder, copied with normalised modes and recorded file by file."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import walk
from teekit_verify.documents.model import SourceFile, SourceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_MAX_FILES = 20_000
_MAX_DEPTH = 100
_MAX_FILE_BYTES = 256 << 20
_MAX_BYTES = 1 << 30  # as the build sees it in memory, beside what it leaves there; git gives 256 MiB of a commit


def copy_source(
    project_root: Path, folder: Path, destination: Path, *, wanted: Callable[[str], bool]
) -> tuple[SourceFile, ...]:
    """Copy `folder` and say what was copied: the digests are those of the bytes written, so they are what the build sees.

    Modes become 0644, or 0755 for executables and folders: what git keeps. Paths are relative to `project_root`;
    only files that `wanted` says yes to, told their path relative to `folder`, are copied. Raises TeekitError for anything but files, folders and symlinks.
    """
    try:
        destination.mkdir(parents=True)
        files = tuple(_copy_all(project_root, folder, destination, wanted))
        for directory, _, _ in walk(destination):
            os.chmod(directory, 0o755)  # noqa: PTH101, S103 - whatever the umask
    except OSError as error:
        raise TeekitError(
            f"{printable(str(error.filename or folder))} cannot be copied: {error.strerror}",
            hint="Make it readable, and see that there is space.",
        ) from error
    if not files:
        raise TeekitError(f"{folder} has no files", hint="Name the folder that holds the project.")
    return files


def _copy_all(
    project_root: Path, folder: Path, destination: Path, wanted: Callable[[str], bool]
) -> Iterator[SourceFile]:
    count, left_bytes = 0, _MAX_BYTES
    for path in _walk(folder):
        name = path.relative_to(project_root).as_posix()
        if not wanted(path.relative_to(folder).as_posix()):
            continue
        count += 1
        if count > _MAX_FILES:
            raise TeekitError(f"{folder} has more than {_MAX_FILES} files")
        left_bytes -= path.lstat().st_size
        if left_bytes < 0:
            raise TeekitError(f"the files of {folder} have more than {_MAX_BYTES} bytes")
        target = destination / path.relative_to(folder)
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        yield _copy_one(path, target, name)


def _walk(folder: Path) -> Iterator[Path]:
    """Everything but folders, in the order of names. Raises TeekitError for too deep ones."""
    waiting = [iter(_sorted(folder))]
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
        elif entry.is_dir() and not entry.is_symlink():
            if len(waiting) > _MAX_DEPTH:
                raise TeekitError(f"{printable(str(folder))} has folders nested more than {_MAX_DEPTH} deep")
            waiting.append(iter(_sorted(entry)))
        else:
            yield entry


def _sorted(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda path: path.name)


def _copy_one(path: Path, target: Path, name: str) -> SourceFile:
    if not name.isprintable():  # nor are bytes that are no UTF-8
        raise TeekitError(f"'{printable(name)}': a file's name is not plain text", hint="Rename it.")
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        text = os.readlink(path)  # noqa: PTH115 - the text, not a Path made of it
        target.symlink_to(text)
        return SourceFile(name, SourceKind.SYMLINK, Digest.of(Algorithm.SHA256, os.fsencode(text)))
    if not stat.S_ISREG(mode):
        raise TeekitError(f"{name} is neither a file, a folder nor a symlink", hint="Remove it from the source.")
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise TeekitError(f"{name} has {path.stat().st_size} bytes, at most {_MAX_FILE_BYTES} are expected")
    content = path.read_bytes()
    executable = bool(mode & stat.S_IXUSR)
    target.write_bytes(content)
    target.chmod(0o755 if executable else 0o644)
    kind = SourceKind.EXECUTABLE if executable else SourceKind.FILE
    return SourceFile(name, kind, Digest.of(Algorithm.SHA256, content))
