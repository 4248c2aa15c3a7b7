"""Where things are in a checkout of this repository."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import resolved
from teekit_verify.rebuild import environments, lock
from teekit_verify.rebuild.suites import Suite

if TYPE_CHECKING:
    from teekit_verify.rebuild.environments import Known
    from teekit_verify.rebuild.lock import PackageLock


@dataclass(frozen=True, slots=True)
class Project:
    """A checkout; `root` is absolute. `tools` is the one of its environments that is meant."""

    root: Path
    tools: Known = field(default=environments.DEFAULT, kw_only=True)

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
        return self.root / "nix" / f"{self.tools.file}.lock.json"

    def with_environment(self, known: Known) -> Self:
        return replace(self, tools=known)

    def environments(self) -> dict[Known, PackageLock]:
        """The locks that are there, from the oldest mkosi to the newest: a checkout of an older commit has fewer."""
        projects = {known: self.with_environment(known) for known in environments.ENVIRONMENTS}
        return {
            known: lock.load(project.environment_lock)
            for known, project in projects.items()
            if project.environment_lock.is_file()
        }

    @property
    def environment_suite(self) -> Suite:
        """What a new lock of the environment is made from."""
        return Suite(self.tools.suite)

    def has_environment(self) -> bool:
        """Is there a tree in the Nix store where the environment's lock has it? Whether it is the right one is not asked."""
        locked = lock.load(self.environment_lock).environment
        return locked is not None and Path(locked.store_path).is_dir()

    @property
    def environment_packages(self) -> Path:
        return self.root / "nix" / f"{self.tools.file}.packages"

    @property
    def mkosi(self) -> Path:
        return self.root / "mkosi"

    @property
    def image_lock(self) -> Path:
        return self.root / "mkosi" / "packages.lock.json"

    @property
    def references(self) -> Path:
        return self.root / "reference"
