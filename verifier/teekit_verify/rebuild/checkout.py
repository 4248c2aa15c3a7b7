"""Files of a commit, written from git's objects; and how the files of a work tree differ from its commit."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, ToolFailedError, printable
from teekit_verify.core.files import walk
from teekit_verify.rebuild import git
from teekit_verify.rebuild.git import GitError
from teekit_verify.rebuild.origin import Change, ChangeKind, Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_FILE, _EXECUTABLE, _SYMLINK, _SUBMODULE = "100644", "100755", "120000", "160000"
_FOLDER, _LINK = b"040000 tree ", b"160000 commit "
_LFS = b"version https://git-lfs.github.com/spec/"
_MAX_FILES = 20_000
_MAX_BYTES = 256 << 20
_BATCH_BYTES = 16 << 20
_MAX_DEPTH = 64
_MAX_WALKED = 200_000  # files of a work tree: those that git is told to ignore, of npm for one, are many
_HEADING_BYTES = 128


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit: git's mode, object id and size."""

    mode: str
    object_id: str
    size_bytes: int
    path: str


def list_files(folder: Path, commit: str, *paths: str, without_submodules: bool = False) -> list[Entry]:
    """The files of a commit, below `paths`. Raises GitError for what is not plain files, symlinks and folders, or too much; for
    submodules too, unless it goes `without_submodules`.

    The commit and its folders are hashed: git itself believes what lies under an object's name in the repository.
    """
    lines = _listed(folder, commit, *paths)
    left_out = (_FOLDER, _LINK) if without_submodules else (_FOLDER,)
    entries = [_entry(line) for line in lines if not line.startswith(left_out)]
    if len(entries) > _MAX_FILES:
        raise GitError(f"the commit {commit} has {len(entries)} files, at most {_MAX_FILES} are expected")
    if (size := sum(entry.size_bytes for entry in entries)) > _MAX_BYTES:
        raise GitError(f"the files of the commit {commit} have {size} bytes, at most {_MAX_BYTES} are expected")
    return entries


def submodules(folder: Path, commit: str, *paths: str) -> list[tuple[str, str]]:
    """Path and commit of each submodule that a commit names below `paths`. Raises GitError for one whose place is no name."""
    found = []
    for line in _listed(folder, commit, *paths):
        if line.startswith(_LINK):
            facts, _, name = line.partition(b"\t")
            path = os.fsdecode(name)
            if not path.isprintable() or not _is_inside(path):
                raise GitError(
                    f"'{printable(path)}' is not a valid name of a submodule", hint="Do not use this repository."
                )
            found.append((path, git.require_commit(facts.split()[2].decode())))
    return found


def _listed(folder: Path, commit: str, *paths: str) -> list[bytes]:
    """git-ls-tree(1)'s lines of a commit whose folders were hashed."""
    try:
        output = git.read(folder, "ls-tree", "-r", "-t", "-z", "-l", git.require_commit(commit), "--", *paths)
    except ToolFailedError as error:
        raise GitError(f"the files of the commit {commit} cannot be listed: {error.message}") from error
    lines = [line for line in output.split(b"\0") if line]
    root = git.read(folder, "rev-parse", f"{commit}^{{tree}}").decode().strip()
    objects(folder, [commit, root, *(line.split()[2].decode() for line in lines if line.startswith(_FOLDER))])
    return lines


def _entry(line: bytes) -> Entry:
    """`mode type object size<TAB>path`, see git-ls-tree(1)."""
    facts, _, name = line.partition(b"\t")
    mode, _, object_id, size = facts.decode().split()
    path = os.fsdecode(name)
    if mode == _SUBMODULE:
        raise GitError(
            f"{printable(path)} is a submodule, and those are not fetched",
            hint="Put its files in the tree; those of somebody else's project are copied with --with-submodules.",
        )
    if mode not in {_FILE, _EXECUTABLE, _SYMLINK, "100664"}:
        raise GitError(f"{printable(path)} has the unknown mode {mode}")
    if not path.isprintable() or not _is_inside(path):
        raise GitError(f"'{printable(path)}' is not a name of a file to write", hint="Do not use this repository.")
    if not re.fullmatch(r"[0-9]{1,19}", size):  # git's word for an object that is not there
        raise GitError(f"the repository lacks {printable(path)}", hint="Clone it whole, or name another repository.")
    return Entry(_FILE if mode == "100664" else mode, object_id, int(size), path)


def _is_inside(path: str) -> bool:
    parts = path.split("/")
    return len(parts) <= _MAX_DEPTH and all(part not in {"", ".", ".."} and part.lower() != ".git" for part in parts)


def write_files(
    folder: Path, entries: Sequence[Entry], destination: Path, *, large: Callable[[str, bytes], bytes] | None = None
) -> None:
    """Write a commit's files into a new folder. Symlinks come last: nothing is ever written through one. `large` gives the content for
    the path and the pointer of a file that is kept with Git LFS.
    """
    destination.mkdir(parents=True)
    try:
        for batch in _batches(entries):
            for entry, content in zip(batch, _contents(folder, batch), strict=True):
                if entry.mode != _SYMLINK:
                    whole = large(entry.path, content) if large and content.startswith(_LFS) else content
                    _write(destination / entry.path, whole, executable=entry.mode == _EXECUTABLE)
        links = [entry for entry in entries if entry.mode == _SYMLINK]
        for entry, content in zip(links, _contents(folder, links), strict=True):
            place = destination / entry.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(os.fsdecode(content))
    except (OSError, ValueError) as error:  # ValueError: a link to a name with a zero byte
        reason = error.strerror if isinstance(error, OSError) else error
        raise GitError(f"the files of the commit cannot be written to {destination}: {reason}") from error


def _write(place: Path, content: bytes, *, executable: bool) -> None:
    if content.startswith(_LFS):
        raise GitError(
            f"{printable(place.name)} is kept with Git LFS, which is not fetched",
            hint="Put it in the tree; those of somebody else's project are copied with --with-lfs.",
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as stream:
        stream.write(content)
    place.chmod(0o755 if executable else 0o644)


def _batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    for entry in entries:
        if batch and sum(item.size_bytes for item in batch) + entry.size_bytes > _BATCH_BYTES:
            yield batch
            batch = []
        batch.append(entry)
    yield batch


def _contents(folder: Path, entries: Sequence[Entry]) -> list[bytes]:
    """A commit with other sizes than `list_files` was told is damaged, and ends git."""
    expected = sum(entry.size_bytes + _HEADING_BYTES for entry in entries)
    return objects(folder, [entry.object_id for entry in entries], most_bytes=expected)


def objects(folder: Path, object_ids: Sequence[str], most_bytes: int = git.MOST_BYTES) -> list[bytes]:
    """The bytes of each object, hashed: `object type size<LF>content<LF>`, see git-cat-file(1)."""
    asked = "".join(f"{object_id}\n" for object_id in object_ids).encode()
    output = git.read(folder, "cat-file", "--batch", stdin=asked, most_bytes=most_bytes)
    contents, at = [], 0
    for object_id in object_ids:
        end = output.index(b"\n", at)
        _, kind, *size = output[at:end].decode().split()
        content = output[end + 1 : end + 1 + int(size[0])] if size else b""
        if _object_id(kind, content, len(object_id)) != object_id:
            raise GitError(f"{folder} is damaged: it has no object {object_id}, or another one under its name")
        contents.append(content)
        at = end + 2 + len(content)
    return contents


def _object_id(kind: str, content: bytes, digits: int) -> str:
    """Git's name of an object, in the repository's hash (told by its digits)."""
    state = hashlib.new("sha1" if digits == 40 else "sha256", usedforsecurity=False)  # noqa: PLR2004
    state.update(b"%s %d\0" % (kind.encode(), len(content)))
    state.update(content)
    return state.hexdigest()


def origin_of(root: Path, *folders: str, without_submodules: bool = False) -> Origin:
    """The commit that is checked out in `root`, and how `folders` differ from it; no commit where there is no git repository.

    Raises GitError as `list_files` does.
    """
    commit, changes = changes_of(root, *folders, without_submodules=without_submodules)
    return Origin(None, commit, changes=tuple(map(str, changes)))


def changes_of(root: Path, *folders: str, without_submodules: bool = False) -> tuple[str | None, tuple[Change, ...]]:
    """The same, as values."""
    try:
        commit = git.read(root, "rev-parse", "--verify", "HEAD^{commit}").decode().strip()
    except TeekitError:
        return None, ()
    committed = {
        entry.path: entry for entry in list_files(root, commit, *folders, without_submodules=without_submodules)
    }
    found = {path: path for folder in folders for path in _walk(root, folder)}
    changes = (_change(root, path, committed.get(path), path in found) for path in sorted({*committed, *found}))
    return commit, tuple(change for change in changes if change is not None)


def require_clean(origin: Origin) -> None:
    """Raises GitError for changes that are in no commit: nobody else could get that source."""
    if origin.changes:
        more = f" (and {len(origin.changes) - 1} more)" if len(origin.changes) > 1 else ""
        raise GitError(
            f"the source has changes that are in no commit: {printable(origin.changes[0])}{more}",
            hint="Commit them, or build them as they are with --allow-dirty: the report will say so.",
        )


def _walk(root: Path, folder: str) -> Iterator[str]:
    """Everything but folders, also what git is told to ignore: a build sees that too. Raises GitError for too many."""
    count = 0
    for place, folders, names in walk(root / folder):
        folders[:] = [name for name in folders if name != ".git"]
        relative = PurePosixPath(os.path.relpath(place, root))
        for name in (*names, *(name for name in folders if os.path.islink(os.path.join(place, name)))):  # noqa: PTH114, PTH118
            count += 1
            if count > _MAX_WALKED:
                raise GitError(f"{root / folder} has more than {_MAX_WALKED} files", hint="Clone it into a new folder.")
            yield str(relative / name)


def _change(root: Path, path: str, entry: Entry | None, is_there: bool) -> Change | None:  # noqa: FBT001
    if entry is None or not is_there:
        return Change(ChangeKind.ADDED if is_there else ChangeKind.REMOVED, path)
    same = (entry.mode, entry.object_id) == _mode_and_object(root / path, entry)
    return None if same else Change(ChangeKind.CHANGED, path)


def _mode_and_object(path: Path, entry: Entry) -> tuple[str, str]:
    """Git's mode and object id of a file as it is now; no id for one that is no file, or has another size than the entry's."""
    status, digits = path.lstat(), len(entry.object_id)
    if stat.S_ISLNK(status.st_mode):
        return _SYMLINK, _object_id("blob", os.fsencode(os.readlink(path)), digits)  # noqa: PTH115
    if not stat.S_ISREG(status.st_mode) or status.st_size != entry.size_bytes:
        return "", ""
    mode = _EXECUTABLE if status.st_mode & stat.S_IXUSR else _FILE
    return mode, _object_id("blob", path.read_bytes(), digits)
