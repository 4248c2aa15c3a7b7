"""What a commit only names: submodules by their commit, files in Git LFS by their SHA-256.

Nothing is fetched: both are taken from where the user has got them, the submodule's own objects and the work tree, and are what the
commit names, or nothing. Sources: gitsubmodules(7); git-lfs, docs/spec.md, "The Pointer".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import read_bounded, resolved
from teekit_verify.rebuild import checkout
from teekit_verify.rebuild.git import GitError
from teekit_verify.rebuild.origin import Change, ChangeKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_MOST_DEEP = 4
_MAX_FILE_BYTES = 256 << 20
_MAX_POINTER_BYTES = 1024
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]{1,200}\n)*oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,12})\n"
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Which of them a copy may have; without, a commit that names such is refused."""

    submodules: bool = False
    large_files: bool = False


def write(folder: Path, commit: str, destination: Path, allowed: Allowed, *, depth: int = 0) -> None:
    """As `checkout.write_files` does, with the files of a commit that `allowed` has too. Raises GitError for what is not there."""
    entries = checkout.list_files(folder, commit, ".", without_submodules=allowed.submodules)
    large = (lambda path, pointer: _large_file(folder, path, pointer)) if allowed.large_files else None
    checkout.write_files(folder, entries, destination, large=large)
    for path, named in checkout.submodules(folder, commit, ".") if allowed.submodules else ():
        if depth >= _MOST_DEEP:
            raise GitError(f"{printable(path)} is a submodule nested more than {_MOST_DEEP} deep")
        place = folder / path
        _require_no_link_above(path, folder, destination)
        if place.is_symlink() or not (place / ".git").exists():
            raise _missing(path, named)
        try:
            write(place, named, destination / path, allowed, depth=depth + 1)
        except GitError as error:
            raise GitError(f"submodule {printable(path)}: {error.message}", hint=error.hint) from error


def _require_no_link_above(path: str, *folders: Path) -> None:
    """A hostile tree can have a link and a folder of the same name, and the links are written by now."""
    if any((folder / above).is_symlink() for folder in folders for above in PurePosixPath(path).parents[:-1]):
        raise GitError(f"{printable(path)} is a submodule behind a link", hint="Do not use this repository.")


def _missing(path: str, commit: str) -> GitError:
    return GitError(
        f"{printable(path)} is a submodule at commit {commit}, which is not there",
        hint="Bring it with `git submodule update --init --recursive`.",
    )


def unchanged(folder: Path, commit: str, changes: Sequence[Change]) -> tuple[Change, ...]:
    """The changes without those of files whose pointer the commit has, and whose content the work tree."""
    changed = set(changes)
    pointers = {
        told: entry
        for entry in checkout.list_files(folder, commit, ".", without_submodules=True)
        if entry.size_bytes <= _MAX_POINTER_BYTES and (told := Change(ChangeKind.CHANGED, entry.path)) in changed
    }
    # All in one question: a project has thousands of small files, and its attributes can have them all changed.
    contents = checkout.objects(folder, [entry.object_id for entry in pointers.values()]) if pointers else []
    there = {
        told
        for (told, entry), content in zip(pointers.items(), contents, strict=True)
        if _is_there(folder, entry, content)
    }
    return tuple(change for change in changes if change not in there)


def _is_there(folder: Path, entry: checkout.Entry, pointer: bytes) -> bool:
    try:
        _large_file(folder, entry.path, pointer)
    except TeekitError:
        return False
    return True


def _large_file(folder: Path, path: str, pointer: bytes) -> bytes:
    """The content that a pointer names. Raises GitError where the work tree has another, or still the pointer."""
    found = _POINTER.fullmatch(pointer)
    if found is None:
        raise GitError(
            f"{printable(path)} should be kept with Git LFS: expected a pointer, found other content",
            hint="Do not use this repository.",
        )
    place, size_bytes = folder / path, int(found[2])
    if place.is_symlink() or not place.is_file() or not resolved(place).is_relative_to(folder.resolve()):
        raise GitError(
            f"{printable(path)} is kept with Git LFS: expected a file in the work tree", hint="Run `git lfs pull`."
        )
    content = read_bounded(place, _MAX_FILE_BYTES, "a file of Git LFS")
    if len(content) != size_bytes or Digest.of(Algorithm.SHA256, content).hex != found[1].decode():
        raise GitError(
            f"{printable(path)} is kept with Git LFS, and the work tree does not have the content that the commit names",
            hint="Run `git lfs pull`.",
        )
    return content
