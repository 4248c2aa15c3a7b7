"""The folder of one rebuild: what is whole in it can be trusted after a crash, what is not is made again."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MARK = ".teekit-workspace"


@dataclass(frozen=True, slots=True)
class Workspace:
    """`root` is ours alone while `locked`. A build lives in its own folder, `build("A")`."""

    root: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the workspace. Raises TeekitError if another run holds it, or the folder is not a workspace."""
        if self.root.exists() and any(self.root.iterdir()) and not (self.root / _MARK).exists():
            raise TeekitError(
                f"{self.root} has other things in it", hint="Name an empty or new folder with --workspace DIR."
            )
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / _MARK).open("w") as mark:
            try:
                fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise TeekitError(
                    f"another run is using {self.root}", hint="Wait for it, or name another with --workspace DIR."
                ) from error
            yield

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
                hint="Free some space, or name a folder elsewhere with --workspace DIR.",
            )

    def clear(self) -> None:
        """Remove everything but the mark that holds the lock."""
        for entry in self.root.iterdir():
            if entry.name != _MARK:
                remove(entry)


def remove(path: Path) -> None:
    """Remove a file or a folder, also one whose folders were made unreadable by a build."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, onerror=_open_up)


def _open_up(_function: object, path: str, _error: object) -> None:
    parent = os.path.dirname(path)  # noqa: PTH120 - rmtree gives strings
    os.chmod(parent, 0o700)  # noqa: PTH101
    if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
        os.chmod(path, 0o700)  # noqa: PTH101
        shutil.rmtree(path)
    else:
        os.unlink(path)  # noqa: PTH108
