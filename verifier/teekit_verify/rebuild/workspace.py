"""The folder of one rebuild: what is whole in it can be trusted after a crash, what is not is made again."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import IO, TYPE_CHECKING

from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import resolved, without_following
from teekit_verify.rebuild.sandbox import become_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARK = ".teekit-workspace"
_REMOVAL_SECONDS = 600
_PRIVATE = 0o700
"""What a build makes may be set-user-ID, of the user who builds: other users cannot reach it."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """`root` is ours alone while `locked`. A build lives in its own folder, `build("A")`."""

    root: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the workspace. Raises TeekitError if another run holds it, or the folder is not a workspace."""
        with self._open_mark() as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise TeekitError(
                    f"another run is using {self.root}", hint="Wait for it, or build in another folder."
                ) from error
            yield

    def _open_mark(self) -> IO[str]:
        mark = self.root / _MARK
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not mark.exists() and any(self.root.iterdir()):
                raise TeekitError(f"{self.root} has other files in it", hint="Name an empty or new folder to build in.")
            self.root.chmod(_PRIVATE)
            return open(mark, "a", opener=without_following, encoding="ascii")
        except OSError as error:
            raise TeekitError(
                f"{self.root} cannot be built in: {error.strerror}", hint="Name another folder to build in."
            ) from error

    @property
    def environment(self) -> Path:
        """A link that keeps the environment in the Nix store as long as the workspace is there."""
        return self.root / "environment"

    @property
    def packages(self) -> Path:
        return self.root / "packages"

    def build(self, name: str) -> Path:
        return self.root / name

    def require_space(self, needed_bytes: int) -> None:
        """Raises TeekitError unless the file system has room."""
        free = shutil.disk_usage(self.root).free
        if free < needed_bytes:
            raise TeekitError(
                f"{self.root} has {free / 1e9:.1f} GB free, the builds need {needed_bytes / 1e9:.1f} GB",
                hint="Free some space, or build in a folder elsewhere.",
            )

    def clear(self) -> None:
        """Remove everything but the mark that holds the lock."""
        for entry in self.root.iterdir():
            if entry.name != _MARK:
                remove(entry)


def require_apart(*places: Path) -> None:
    """Raises TeekitError if one of the folders is another one, or lies in it: they are cleared, replaced and copied whole."""
    for first, second in combinations(map(resolved, places), 2):
        if first.is_relative_to(second) or second.is_relative_to(first):
            raise TeekitError(
                f"{first} and {second} overlap",
                hint="Name two separate folders with --output and --workspace.",
            )


def remove(path: Path) -> None:
    """Remove a file or a folder, also one with files of a build's other users, or that a dying process still writes to."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(path)
    except (OSError, RecursionError):  # also too deep for a function that calls itself for each folder
        process.run([*become_root(), "rm", "--recursive", "--force", "--", str(path)], timeout_seconds=_REMOVAL_SECONDS)


def place_readable(stored: Path, place: Path) -> None:
    """Where a sandbox's root, who is not the host's, can read it. It may have been stored with a umask that forbids that."""
    try:
        os.link(stored, place)
    except OSError:  # another file system
        shutil.copyfile(stored, place)
    place.chmod(0o644)
