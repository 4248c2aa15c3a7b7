"""What a rebuild is made with: a host, a checkout, the pinned environment, packages."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import create_folder
from teekit_verify.documents.release import load_release
from teekit_verify.rebuild import environments, host, inputs_places, lock
from teekit_verify.rebuild.npm import configured_registry, installed_default
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.provision import Provision
from teekit_verify.rebuild.subject import Choice, find_subject
from teekit_verify.rebuild.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.host import Finding
    from teekit_verify.rebuild.lock import PackageLock
    from teekit_verify.rebuild.subject import Subject


def provision(
    checkout: Path | None,
    cache: Path,
    progress: Progress,
    *,
    mirror: str | None,
    snapshot_archive: str,
    npm_registry: str | None = None,
    npm_settings: Sequence[Path] = (),
    npm: Path | None = None,
    inputs: Sequence[str] = (),
    environment: str | None = None,
) -> Provision:
    """Where the environment and packages of a checkout come from. `checkout`: a folder in it; None is the working directory's.

    `npm_registry` is an address; else what one of `npm_settings` names, files like ~/.npmrc, or what the program `npm` was installed
    with. `inputs`: archives to ask first, each a folder, an address or oci://HOST/NAME. `environment`: the name of one of the pinned ones;
    None is that of our own images.

    Raises TeekitError outside of a checkout, for addresses that are none, and for an environment that there is not.
    """
    registry = npm_registry or configured_registry(tuple(npm_settings)) or installed_default(npm)
    places = tuple(map(inputs_places.parse, inputs))
    project = _project(checkout, environment)
    return Provision(project, cache, progress, mirror, snapshot_archive, registry, inputs=places)


def _project(checkout: Path | None, environment: str | None) -> Project:
    project = Project.find(checkout)
    return project if environment is None else project.with_environment(environments.named(environment))


def examine_host(folders: Sequence[Path]) -> list[Finding]:
    """What of this host a rebuild or a boot needs, and whether it is there. `folders` are those that are written to.

    A store of Nix that belongs to somebody else matters only where the checkout's environment is not in it yet.
    """
    findings = host.examine(list(folders))
    return host.without_store(findings) if _has_environment() else findings


def _has_environment() -> bool:
    try:
        return Project.find().has_environment()
    except TeekitError:  # outside of a checkout
        return False


@contextmanager
def release_subject(
    bringing: Provision, release: str, repository: str | None, references: Path | None = None
) -> Iterator[Subject]:
    """A release with its source, which is there while the block lasts. `repository`: another place to fetch its commit from. `references`: the
    folder of releases, None for the checkout's.

    Raises TeekitError for a release that the checkout does not know, and for a commit that cannot be had.
    """
    create_folder(bringing.cache)
    # Nothing is built, so it does not matter who chose the tools.
    choice = Choice(
        image="",
        profiles=(),
        source=None,
        release=release,
        commit=None,
        repository=repository,
        tag_key=None,
        mkosi_args=None,
        allow_dirty=False,
        allow_foreign_environment=True,
        releases=references,
    )
    with tempfile.TemporaryDirectory(dir=bringing.cache) as folder:
        yield find_subject(choice, bringing, Workspace(Path(folder)))


def release_commit(checkout: Path | None, release: str) -> str | None:
    """The commit of a release, if its file names one. Raises TeekitError if the checkout does not know the release."""
    return load_release(Project.find(checkout).references / "releases", release)[0].commit


def environment_lock(checkout: Path | None, environment: str | None = None) -> PackageLock:
    """What names the tools of an environment, by default that of our own images.

    Raises TeekitError outside of a checkout, for an environment that there is not, and for a lock that cannot be read.
    """
    return lock.load(_project(checkout, environment).environment_lock)
