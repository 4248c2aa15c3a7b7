"""Where things are in a checkout of this repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import resolved
from teekit_verify.rebuild import lock


@dataclass(frozen=True, slots=True)
class Project:
    """A checkout; `root` is absolute."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Project:
        """The checkout that `start` lies in; by default the working directory's, else the one this program runs from."""
        starts = [start] if start is not None else [Path.cwd(), Path(__file__)]
        for place in starts:
            for folder in (resolved(place), *resolved(place).parents):
                project = cls(folder)
                if project.environment_lock.is_file() and project.mkosi.is_dir():
                    return project
        raise TeekitError(
            f"{starts[0]} is not inside a checkout of this repository",
            hint="Change into the checkout, or name it with --source DIR.",
        )

    @property
    def environment_lock(self) -> Path:
        return self.root / "nix" / "build-env.lock.json"

    def has_environment(self) -> bool:
        """Is there a tree in the Nix store where the environment's lock has it? Whether it is the right one is not asked."""
        locked = lock.load(self.environment_lock).environment
        return locked is not None and Path(locked.store_path).is_dir()

    @property
    def environment_packages(self) -> Path:
        return self.root / "nix" / "build-env.packages"

    @property
    def mkosi(self) -> Path:
        return self.root / "mkosi"

    @property
    def image_lock(self) -> Path:
        return self.root / "mkosi" / "packages.lock.json"

    @property
    def references(self) -> Path:
        return self.root / "reference"
