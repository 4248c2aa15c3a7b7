"""What `rebuild` is to rebuild: this checkout, another commit of it, a release, or a stranger's project."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teekit_verify.cli.options import Kernel, find_target
from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from teekit_verify.rebuild.images import Target
    from teekit_verify.rebuild.origin import Origin
    from teekit_verify.rebuild.provision import Provision
    from teekit_verify.rebuild.release import Wanted
    from teekit_verify.rebuild.smells import Smell
    from teekit_verify.rebuild.workspace import Workspace

ReleaseOption = Annotated[
    str | None,
    typer.Option(
        help="Rebuild a release of reference/releases: its source, image and reference values.", metavar="NAME"
    ),
]
CommitOption = Annotated[
    str | None, typer.Option(help="Rebuild this commit, or tag, of the repository instead of the files as they are.")
]
RepositoryOption = Annotated[
    str | None, typer.Option(help="Another place to fetch the commit from.", metavar="URL", show_default=False)
]
TagKeyOption = Annotated[
    Path | None,
    typer.Option(
        help="The key that must have signed the tag: an OpenPGP public key, or ssh's allowed signers.",
        exists=True,
        dir_okay=False,
    ),
]
MkosiArgsOption = Annotated[
    str | None,
    typer.Option(
        "--mkosi-args", help="--source is anybody's mkosi project that makes a UKI; these are its mkosi options, or ''."
    ),
]
AllowDirtyOption = Annotated[
    bool, typer.Option("--allow-dirty", help="Build files that are in no commit; the report says so.")
]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Use only what is in the cache already.")]


@dataclass(frozen=True, slots=True)
class Choice:
    """The options that say what is meant."""

    image: str
    profile: str | None
    kernel: Kernel
    source: Path | None
    release: str | None
    commit: str | None
    repository: str | None
    tag_key: Path | None
    mkosi_args: str | None
    allow_dirty: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """`bringing` has the subject's project. `reference` is the file with what was published about it, which need not exist."""

    bringing: Provision
    target: Target
    reference: Path | None
    origin: Origin
    smells: tuple[Smell, ...]


def find_subject(choice: Choice, bringing: Provision, workspace: Workspace) -> Subject:
    """`bringing` has the project this program works from. What has to be fetched or copied goes into the workspace."""
    named = [word for word, value in _exclusive(choice) if value is not None]
    if len(named) > 1:
        raise TeekitError(f"{' and '.join(named)} exclude each other", hint="Give one of them.")
    if choice.mkosi_args is not None:
        return _stranger(choice, choice.mkosi_args, bringing, workspace)
    if choice.release is not None:
        return _release(choice, choice.release, bringing, workspace)
    target = find_target(choice.image, choice.kernel, choice.profile)
    if choice.commit is not None or choice.repository is not None or choice.tag_key is not None:
        return _commit(choice, target, bringing, workspace)
    return _checkout(choice, target, bringing)


def _exclusive(choice: Choice) -> tuple[tuple[str, str | None], ...]:
    return ("--release", choice.release), ("--commit", choice.commit), ("--mkosi-args", choice.mkosi_args)


def _checkout(choice: Choice, target: Target, bringing: Provision) -> Subject:
    """The files as they are: those of a commit, unless that is asked for otherwise."""
    from teekit_verify.rebuild import checkout

    project = bringing.project
    folders = (project.mkosi.name, project.environment_lock.parent.name)
    origin = checkout.origin_of(project.root, *folders)
    if not choice.allow_dirty:
        checkout.require_clean(origin)
    return _subject(bringing, target, project.references / f"{target.key}.json", origin)


def _commit(choice: Choice, target: Target, bringing: Provision, workspace: Workspace) -> Subject:
    from teekit_verify.rebuild.release import commit_or_tag

    if choice.commit is None:
        raise TeekitError("--repository and --tag-key say nothing without a commit", hint="Name one with --commit.")
    wanted = commit_or_tag(choice.commit)
    return _fetched(choice, wanted, target, bringing.project.references / f"{target.key}.json", bringing, workspace)


def _release(choice: Choice, name: str, bringing: Provision, workspace: Workspace) -> Subject:
    from teekit_verify.rebuild import images
    from teekit_verify.rebuild.release import Wanted
    from teekit_verify.reference.load import load_reference
    from teekit_verify.reference.release import load_release

    release, reference = load_release(bringing.project.references / "releases", name)
    load_reference(reference)  # a release without its values is none
    target = images.find_target(release.image, release.profiles)
    wanted = Wanted(release.repository, release.commit, release.tag)
    return _fetched(choice, wanted, target, reference, bringing, workspace)


def _fetched(
    choice: Choice, wanted: Wanted, target: Target, reference: Path, bringing: Provision, workspace: Workspace
) -> Subject:
    from teekit_verify.rebuild import release

    wanted = replace(release.with_repository(wanted, choice.repository), tag_key=choice.tag_key)
    with bringing.progress.step("fetch the source"):
        project, origin = release.fetch_project(
            wanted, bringing.project, bringing.cache, workspace.root / "source", offline=bringing.offline
        )
    return _subject(replace(bringing, project=project), target, reference, origin)


def _stranger(choice: Choice, arguments: str, bringing: Provision, workspace: Workspace) -> Subject:
    from teekit_verify.rebuild import stranger
    from teekit_verify.rebuild.smells import find_smells

    if choice.source is None:
        raise TeekitError("--mkosi-args is for a project of somebody else", hint="Name it with --source DIR.")
    project = stranger.StrangersProject(workspace.root / "source", bringing.project)
    origin = stranger.copy_project(choice.source.resolve(), project.root, allow_dirty=choice.allow_dirty)
    smells = find_smells(project.root, project.mkosi, has_lock=False)
    stranger.prepare(project.root)
    bringing = replace(bringing, project=project)
    return Subject(bringing, stranger.find_target(bringing, arguments), None, origin, smells)


def _subject(bringing: Provision, target: Target, reference: Path, origin: Origin) -> Subject:
    from teekit_verify.rebuild.smells import find_smells

    project = bringing.project
    return Subject(bringing, target, reference, origin, find_smells(project.root, project.mkosi, has_lock=True))
