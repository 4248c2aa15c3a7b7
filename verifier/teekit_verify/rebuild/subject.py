"""What a rebuild is of: this checkout, another commit of it, a release, or a stranger's project."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.files import resolved
from teekit_verify.documents.load import load_reference
from teekit_verify.documents.release import load_release
from teekit_verify.rebuild import (
    checkout,
    environments,
    images,
    inputs_places,
    lock,
    pins,
    repositories,
    stranger,
    vouching,
)
from teekit_verify.rebuild.git import GitError
from teekit_verify.rebuild.named_only import Allowed
from teekit_verify.rebuild.release import Wanted, commit_or_tag, fetch_project, repository_of, with_repository
from teekit_verify.rebuild.smells import build_shells_above, find_smells
from teekit_verify.rebuild.vouching import EnvironmentFrom

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.rebuild.environments import EnvironmentChosen
    from teekit_verify.rebuild.images import Target
    from teekit_verify.rebuild.origin import Origin
    from teekit_verify.rebuild.project import Project
    from teekit_verify.rebuild.provision import Provision
    from teekit_verify.rebuild.smells import Smell
    from teekit_verify.rebuild.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody wants rebuilt, in the words of a command line; None is what was not said.

    `releases` is the folder that `release` is in; None is the checkout's.
    """

    image: str = ""
    profiles: tuple[str, ...] = ()
    source: Path | None = None
    release: str | None = None
    commit: str | None = None
    repository: str | None = None
    tag_key: Path | None = None
    mkosi_args: str | None = None
    allow_dirty: bool = False
    allow_foreign_environment: bool = False
    environment: str | None = None
    without_network: bool = False
    with_submodules: bool = False
    with_lfs: bool = False
    allow_repositories: tuple[str, ...] = ()
    allow_network_fetch: bool = False
    fetched: Path | None = None
    releases: Path | None = None

    @property
    def fetches(self) -> bool:
        """Whether scripts may: servers are asked, or a recording."""
        return self.allow_network_fetch or self.fetched is not None


@dataclass(frozen=True, slots=True)
class Subject:
    """`bringing` has the subject's project. `reference` is the file with what was published about it, which need not exist.

    `environment_from` says who vouches for the tools, `environment_chosen` which they are, and why. `is_checkout` where people work on the very files that will be built.
    `withdrawn` is why a release must not be accepted any more, or None.
    """

    bringing: Provision
    target: Target
    reference: Path | None
    origin: Origin
    smells: tuple[Smell, ...]
    is_checkout: bool = False
    withdrawn: str | None = None
    environment_from: EnvironmentFrom = EnvironmentFrom.UNKNOWN
    environment_chosen: EnvironmentChosen = environments.OWN

    def require_unchanged(self) -> None:
        """Raises GitError if the files are no longer those that `origin` tells of: fetching takes a while."""
        if self.is_checkout and _origin(self.bringing.project) != self.origin:
            raise GitError("the source has changed since this run began", hint="Run it again.")


def find_subject(choice: Choice, bringing: Provision, workspace: Workspace) -> Subject:
    """`bringing` has the project this program works from. What has to be fetched or copied goes into the workspace.

    Raises TeekitError for a choice that means nothing, for a source that is not there or not as promised, and for a commit
    whose environment nobody vouches for, unless the choice allows that.
    """
    subject = _find_subject(choice, bringing, workspace)
    with bringing.progress.step("see whose environment it is"):
        locked = lock.load(subject.bringing.project.environment_lock)
        found = vouching.environment_from(locked, vouching.own_project(), subject.bringing.is_debians)
    if choice.release is not None or choice.commit is not None:
        vouching.require_known(found, allowed=choice.allow_foreign_environment)
    return replace(subject, environment_from=found)


def _find_subject(choice: Choice, bringing: Provision, workspace: Workspace) -> Subject:
    named = [word for word, value in _exclusive(choice) if value is not None]
    if len(named) > 1:
        raise TeekitError(f"{' and '.join(named)} cannot be used together", hint="Give one of them.")
    fetches = choice.release is not None or choice.commit is not None
    if not fetches and (choice.repository is not None or choice.tag_key is not None):
        raise TeekitError("--repository and --tag-key have no effect without a commit", hint="Name one with --commit.")
    if choice.environment is not None and choice.mkosi_args is None:
        raise TeekitError(
            "--environment is for other projects: our commits name the one they are built with",
            hint="Leave it out.",
        )
    if choice.allow_repositories and choice.mkosi_args is None:
        raise TeekitError(
            "--allow-repository is for other projects: ours only take packages from Debian",
            hint="Leave it out.",
        )
    _require_meaningful_network(choice)
    if choice.mkosi_args is not None:
        return _stranger(choice, choice.mkosi_args, bringing, workspace)
    if choice.release is not None:
        return _release(choice, choice.release, bringing, workspace)
    target = images.find_target(choice.image, choice.profiles)
    if choice.commit is not None:
        return _commit(choice, choice.commit, target, bringing, workspace)
    return _checkout(choice, target, bringing)


def _require_meaningful_network(choice: Choice) -> None:
    """Raises TeekitError for options that contradict each other, or have no effect."""
    if choice.fetches and choice.mkosi_args is None:
        raise TeekitError(
            "--allow-network-fetch and --fetched are for a project of somebody else: scripts of ours fetch nothing",
            hint="Leave them out.",
        )
    named = (
        ("--allow-network-fetch", choice.allow_network_fetch),
        ("--fetched", choice.fetched is not None),
        ("--without-network", choice.without_network),
    )
    if len(given := [word for word, value in named if value]) > 1:
        raise TeekitError(f"{' and '.join(given)} cannot be used together", hint="Give one of them.")


def _exclusive(choice: Choice) -> tuple[tuple[str, str | None], ...]:
    return ("--release", choice.release), ("--commit", choice.commit), ("--mkosi-args", choice.mkosi_args)


def _checkout(choice: Choice, target: Target, bringing: Provision) -> Subject:
    """The files as they are: those of a commit, unless that is asked for otherwise."""
    project = bringing.project
    origin = _origin(project)
    if not choice.allow_dirty:
        checkout.require_clean(origin)
    subject = _subject(bringing, target, project.references / f"{target.key}.json", origin)
    return replace(subject, is_checkout=True)


def _origin(project: Project) -> Origin:
    return checkout.origin_of(project.root, project.mkosi.name, project.environment_lock.parent.name)


def _commit(choice: Choice, name: str, target: Target, bringing: Provision, workspace: Workspace) -> Subject:
    wanted = _as_chosen(commit_or_tag(name), choice)
    return _fetched(wanted, target, bringing.project.references / f"{target.key}.json", bringing, workspace)


def _release(choice: Choice, name: str, bringing: Provision, workspace: Workspace) -> Subject:
    folder = choice.releases or bringing.project.references / "releases"
    release, reference = load_release(folder, name)
    load_reference(reference)  # a release without its values is none
    if release.withdrawn is not None:
        bringing.progress.note(f"this release is withdrawn: {release.withdrawn}")
    target = images.find_target(release.image, release.profiles)
    wanted = _as_chosen(Wanted(release.repository or _beside(choice), release.commit, release.tag), choice)
    if release.inputs is not None:
        places = [inputs_places.parse(location) for location in release.inputs.locations]
        known = tuple(replace(place, manifest_sha256=release.inputs.manifest_sha256) for place in places)
        bringing = replace(bringing, locations=known)
    subject = _fetched(wanted, target, reference, bringing, workspace, release=name)
    return replace(subject, withdrawn=release.withdrawn)


def _beside(choice: Choice) -> str | None:
    """The repository of a folder of releases that was named; None is that of the checkout, as for a folder that is in none."""
    if choice.releases is None:
        return None
    try:
        return repository_of(choice.releases)
    except TeekitError:
        return None


def _as_chosen(wanted: Wanted, choice: Choice) -> Wanted:
    return replace(with_repository(wanted, choice.repository), tag_key=choice.tag_key)


def _fetched(
    wanted: Wanted,
    target: Target,
    reference: Path,
    bringing: Provision,
    workspace: Workspace,
    *,
    release: str | None = None,
) -> Subject:
    with bringing.progress.step("fetch the source"):
        project, origin = fetch_project(
            wanted,
            bringing.project,
            bringing.cache,
            workspace.root / "source",
            offline=bringing.offline,
            bundles=lambda commit: inputs_places.bundles(bringing.places, bringing.store, release, commit),
        )
    return _subject(replace(bringing, project=project), target, reference, origin)


def _stranger(choice: Choice, arguments: str, bringing: Provision, workspace: Workspace) -> Subject:
    if choice.source is None:
        raise TeekitError("--mkosi-args is for other projects", hint="Name it with --source DIR.")
    project = stranger.StrangersProject(workspace.root / "source", bringing.project)
    allowed = Allowed(choice.with_submodules, choice.with_lfs)
    origin = stranger.copy_project(
        resolved(choice.source), project.root, allow_dirty=choice.allow_dirty, allowed=allowed
    )
    project = stranger.with_its_environment(project, arguments, choice.environment)
    bringing.progress.note(f"the environment is {project.tools.name}")
    why = stranger.why_its_environment(project, arguments, choice.environment)
    smells = find_smells(project.root, project.mkosi, has_lock=False) + build_shells_above(resolved(choice.source))
    if not (choice.without_network or choice.fetches):
        stranger.require_no_network(project, arguments)
    stranger.require_own_places(project, arguments)
    permissions = tuple(map(repositories.permission, choice.allow_repositories))
    sources = stranger.prepare(project.root, {one.address for one in permissions}, arguments)
    others = repositories.allowed(permissions, sources.entries)
    smells += (*stranger.fix_version(project, arguments, origin), *stranger.npm_warnings(project))
    smells += stranger.setting_warnings(project, arguments)
    snapshots = () if project.knows_snapshots else pins.take_snapshots(project.root)
    bringing = replace(bringing, project=project)
    target = replace(stranger.find_target(bringing, arguments), allowed=others, fetches=choice.fetches)
    target = stranger.with_backports(target, project.root)
    time = pins.agreed((*snapshots, *sources.pins, *target.pins), bringing.snapshot)
    return Subject(replace(bringing, snapshot=time), target, None, origin, smells, environment_chosen=why)


def _subject(bringing: Provision, target: Target, reference: Path, origin: Origin) -> Subject:
    project = bringing.project
    return Subject(bringing, target, reference, origin, find_smells(project.root, project.mkosi, has_lock=True))
