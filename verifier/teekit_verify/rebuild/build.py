"""One build of an image: fresh source, fresh everything, no network, in the pinned environment."""

from __future__ import annotations

import os
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from teekit_verify.core.digest import digest_file
from teekit_verify.core.errors import TeekitError, ToolFailedError
from teekit_verify.core.files import resolved
from teekit_verify.documents.model import Artifact, Build, Inputs, Package, SourceFile
from teekit_verify.rebuild import limits, record, source
from teekit_verify.rebuild.network.room import behind
from teekit_verify.rebuild.sandbox import PACKAGES, Sandbox, Seen, named_by
from teekit_verify.rebuild.workspace import remove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from teekit_verify.core.digest import Digest
    from teekit_verify.rebuild.environment import Environment
    from teekit_verify.rebuild.images import Target
    from teekit_verify.rebuild.lock import LockedPackage, PackageLock
    from teekit_verify.rebuild.network.room import Room
    from teekit_verify.rebuild.project import Project
    from teekit_verify.rebuild.variation import Conditions

_WORK = "/work"
_SOURCE = "/source"
_OWN_FOLDERS = ("output", "scratch", "cache", "package-cache", "builddir")
# Fills the place where the build sees its source in a given order, which a file system in memory keeps for those who list a
# folder; others, ext4 among them, list in an order of their own. Arguments: the place, a sort(1) option, the command.
_FILL_AND_RUN = f"""\
cd {_SOURCE} && find . ! -path . | LC_ALL=C sort $2 | tar --create --no-recursion --files-from=- |
    tar --extract --no-same-owner --directory "$1" &&
    cd / && umount {_SOURCE} && mount -o remount,bind,ro "$1" && shift 2 && exec "$@"
"""
_TIMEOUT_SECONDS = 4 * 3600


class BuildError(TeekitError):
    """A build did not make what it should have made."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What A and B have in common. `served` says which source gave each file that was needed, "cache" among them."""

    project: Project
    target: Target
    environment: Environment
    lock: PackageLock
    packages: tuple[LockedPackage, ...]
    package_folder: Path
    served: Mapping[Digest, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One build to be made, or found already made, in `folder`. `room` is what its scripts fetch through; None: they have no network."""

    plan: Plan
    folder: Path
    conditions: Conditions
    room: Room | None = None

    @property
    def output(self) -> Path:
        return self.folder / "output"

    @property
    def _work(self) -> Path:
        """All that the build may write to, but its home."""
        return self.folder / "work"

    @property
    def _home(self) -> Path:
        return self.folder / "home"

    @property
    def log(self) -> Path:
        return self.folder / "build.log"

    def seen(self) -> tuple[Seen, ...]:
        """All that the build sees; the source is filled from `/source`, which is gone before the build begins."""
        return self._sandbox().seen(self.folder.parent)

    def finished(self) -> Build | None:
        """The build, if an earlier run finished it here with the same inputs and conditions, and its artifacts are unchanged. What
        scripts fetched is not among these: such a build is made again.
        """
        if self.room is not None:
            return None
        recorded = record.load(self.folder)
        if recorded is None or recorded.conditions != self.conditions.described():
            return None
        if recorded.build.inputs != self._inputs(self._copy_source("source.check")):
            return None
        if self._artifacts_or_none() != recorded.build.artifacts:
            return None
        return recorded.build if record.places(self.output, recorded.build.artifacts) == recorded.places else None

    def make(self) -> Build:
        """Build from nothing. Raises ToolFailedError if mkosi fails, BuildError if an artifact is missing or empty."""
        inputs = self._begin()
        with self._named_by_scripts():
            self._run()
            return self._finish(inputs)

    def make_beside(self, other: Attempt) -> tuple[Build, Build]:
        """Make this build and another one at the same time; what one raises ends both."""
        inputs, others = self._begin(), other._begin()
        with (
            self._named_by_scripts(),
            other._network(),
            other._sandbox().running(other._command(), timeout_seconds=_TIMEOUT_SECONDS, log=other.log) as beside,
        ):
            self._run(beside.watch)
            beside.wait()
        return self._finish(inputs), other._finish(others)

    def _run(self, others: Callable[[], str | None] = lambda: None) -> None:
        room = limits.leaves_room(self.folder)
        with self._network(), named_by("mkosi"):
            self._sandbox().run(
                self._command(), timeout_seconds=_TIMEOUT_SECONDS, log=self.log, watch=lambda: room() or others()
            )

    @contextmanager
    def _network(self) -> Iterator[None]:
        """What scripts may fetch through is there for the block."""
        with nullcontext() if self.room is None else self.room.open():
            yield

    @contextmanager
    def _named_by_scripts(self) -> Iterator[None]:
        """Why a build failed is often what its scripts asked for in vain, or were not given."""
        try:
            yield
        except (ToolFailedError, BuildError) as error:
            told = None if self.room is None else self.room.proxy.source.complaint()
            unset = self.plan.target.unset
            if told is not None:
                raise _with(error, told) from error
            if unset and isinstance(error, ToolFailedError) and not error.stopped:
                raise _without(error, unset) from error
            raise

    def _begin(self) -> Inputs:
        """An empty folder with the source, and folders that belong to the build."""
        remove(self.folder)
        self._work.mkdir(parents=True)
        inputs = self._inputs(self._copy_source("source"))
        for folder in (self._home, *(self._work / name for name in _OWN_FOLDERS)):
            folder.mkdir()
        for folder in (self._work, *self._work.iterdir(), self._home):
            if self.conditions.user_group is not None:
                os.chown(folder, self.conditions.user_group, self.conditions.user_group)
        return inputs

    def _finish(self, inputs: Inputs) -> Build:
        """Take the artifacts, and only then say that the build is finished."""
        (self._work / "output").rename(self.output)
        remove(self._work)
        remove(self._home)
        build = Build(inputs, self._artifacts())
        record.save(self.folder, self.conditions.described(), build, self.output)
        return build

    def _copy_source(self, name: str) -> tuple[SourceFile, ...]:
        """The source as it is now, as far as the image uses it. The lock lies there too, but is an input of its own."""
        destination = self.folder / name
        remove(destination)
        project, target = self.plan.project, self.plan.target
        lock = project.image_lock.relative_to(project.mkosi).as_posix()
        return source.copy_source(
            project.root, project.mkosi, destination, wanted=lambda path: path != lock and target.uses(path)
        )

    def _inputs(self, files: tuple[SourceFile, ...]) -> Inputs:
        plan = self.plan
        return Inputs(
            image=plan.target.image,
            profiles=plan.target.profiles,
            environment=plan.environment.record,
            lock_sha256=plan.lock.digest_for(plan.target.key),
            packages=tuple(self._package(package) for package in plan.packages),
            source_files=files,
        )

    def _package(self, package: LockedPackage) -> Package:
        """What the build sees under this package's name: hashed again, not believed. Raises BuildError if it is another."""
        path = self.plan.package_folder / package.file_name
        found = digest_file(path)
        if found != package.digest:
            raise BuildError(
                f"{path} has {found}, its lock says {package.digest}", hint="Run it again: packages are fetched anew."
            )
        return Package(package.name, package.version, package.architecture, found)

    def _command(self) -> list[str]:
        build = self.plan.target.mkosi(
            self.conditions.build_path,
            "--force",
            f"--output-directory={_WORK}/output",
            f"--workspace-directory={_WORK}/scratch",
            f"--cache-directory={_WORK}/cache",
            f"--package-cache-dir={_WORK}/package-cache",
            f"--package-directory={PACKAGES}",
            *((f"--build-directory={_WORK}/builddir",) if self.plan.target.build_folder else ()),
            "build",
        )
        order = "--reverse" if self.conditions.fileordering else ""
        command = ["sh", "-c", _FILL_AND_RUN, "sh", self.conditions.build_path, order, *build]
        return command if self.room is None else behind(command)

    def _sandbox(self) -> Sandbox:
        conditions = self.conditions
        return Sandbox(
            root=self.plan.environment.root,
            binds={_WORK: self._work, conditions.home: self._home},
            read_only_binds={
                PACKAGES: self.plan.package_folder,
                _SOURCE: self.folder / "source",
                **({} if self.room is None else self.room.binds),
            },
            environment=conditions.variables(),
            hostname=conditions.domain_host,
            umask=conditions.umask,
            processors=conditions.num_cpus,
            scratch=(conditions.build_path,),
            first_id=conditions.user_group,
            random_addresses=conditions.aslr,
            proxied=self.room is not None,
        )

    def _artifacts(self) -> tuple[Artifact, ...]:
        return tuple(self._artifact(name) for name in self.plan.target.artifacts)

    def _artifact(self, name: str) -> Artifact:
        path = self.output / name
        if resolved(path) != self.folder.resolve() / "output" / name:  # a link may lead to files of the host
            raise BuildError(f"the build made {name} a link; its log is {self.log}", hint="Make it a file.")
        if not path.is_file() or path.stat().st_size == 0:
            raise BuildError(
                f"the build did not make {name}; its log is {self.log}", hint="Look at the end of the log."
            )
        if path.stat().st_size > limits.ARTIFACT_BYTES:  # it may be sparse, and its copies are not
            raise BuildError(
                f"the build made {name} of {path.stat().st_size} bytes, at most {limits.ARTIFACT_BYTES} are expected",
                hint="Make it smaller.",
            )
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
        return Artifact(name, path.stat().st_size, digest_file(path))

    def _artifacts_or_none(self) -> tuple[Artifact, ...] | None:
        try:
            return self._artifacts()
        except (BuildError, OSError):
            return None


def _without(error: ToolFailedError, unset: Sequence[str]) -> ToolFailedError:
    names = ", ".join(unset)
    hint = (
        f"The project takes {names} from its caller's environment, and here nothing is set. If that is why, give the published image's: "
        f"--mkosi-args '--environment={unset[0]}=VALUE'."
    )
    return ToolFailedError("mkosi", error.problem, hint=hint, stopped=error.stopped, output=error.output)


def _with(error: ToolFailedError | BuildError, told: str) -> TeekitError:
    if isinstance(error, BuildError):
        return BuildError(f"{told}; {error.message}", hint=error.hint)
    return ToolFailedError(
        "mkosi", f"failed: {told}\nmkosi {error.problem}", hint=error.hint, stopped=error.stopped, output=error.output
    )
