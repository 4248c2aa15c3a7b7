"""The source of a release or of a commit, fetched with git and written out fresh. None of it runs outside the sandbox."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.rebuild import bundle, checkout, git, tag_signature
from teekit_verify.rebuild.git import GitError
from teekit_verify.rebuild.origin import Origin
from teekit_verify.rebuild.project import Project
from teekit_verify.rebuild.workspace import remove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from teekit_verify.rebuild.provision import Provision


@dataclass(frozen=True, slots=True)
class Wanted:
    """`repository` is an address, or None for that of the checkout at hand; `commit`, `tag` or both say what of it.

    `tag_key` is a file with the key that must have signed the tag, or None.
    """

    repository: str | None
    commit: str | None
    tag: str | None
    tag_key: Path | None = None


@dataclass(frozen=True, slots=True)
class FetchedProject(Project):
    """A checkout of a stranger's commit. `program` is the one this program runs from."""

    program: Project


def _no_bundles(_: str) -> Iterator[Path]:
    return iter(())


def cached_repository(address: str | None, bringing: Provision) -> git.Repository:
    """Where what was fetched from that address is kept; None is the repository of the program's checkout."""
    project = getattr(bringing.project, "program", bringing.project)
    return git.Repository.cached(bringing.cache, address or _own_repository(project))


def fetch(
    wanted: Wanted,
    project: Project,
    cache: Path,
    destination: Path,
    *,
    offline: bool,
    bundles: Callable[[str], Iterator[Path]] = _no_bundles,
) -> tuple[Path, Origin]:
    """Write the wanted commit's files into the new folder `destination`. Raises GitError or TagSignatureError.

    `bundles` brings git bundles that may have a commit: they are asked before the repository.
    """
    repository = git.Repository.cached(cache, wanted.repository or _own_repository(project))
    if wanted.commit is not None:
        _take_from_bundles(repository, wanted.commit, wanted.tag, bundles)
    if wanted.tag_key is not None and wanted.tag is None:
        raise GitError("there is no tag whose signature could be checked", hint="Leave out --tag-key, or name a tag.")
    commit, signed_by = wanted.commit, ""
    if wanted.tag is not None:
        named = _tagged(repository, wanted, offline=offline)
        if wanted.commit not in {None, named}:
            raise GitError(
                f"the tag {wanted.tag} has moved: it names {named}, the release was made from {wanted.commit}",
                hint="Ask the publisher, or rebuild the commit itself.",
            )
        commit = named
        if wanted.tag_key is not None:
            signed_by = tag_signature.verify(wanted.tag, named, repository.tag_object(wanted.tag), wanted.tag_key)
    commit = repository.commit(commit or "", offline=offline)
    remove(destination)
    checkout.write_files(repository.folder, checkout.list_files(repository.folder, commit), destination)
    return destination, Origin(wanted.repository, commit, wanted.tag, signed_by)


def _take_from_bundles(
    repository: git.Repository, commit: str, tag: str | None, bundles: Callable[[str], Iterator[Path]]
) -> None:
    """Until the commit is there. A bundle that is none, or has something else, is passed over."""
    if repository.has(commit):
        return
    for path in bundles(commit):
        with suppress(GitError):
            named, pack = bundle.pack_of(path)
            reference = named.get(f"refs/tags/{tag}") if tag else None
            repository.take_pack(pack, commit, {tag: reference} if tag and reference else {})
        if repository.has(commit):
            return


def _tagged(repository: git.Repository, wanted: Wanted, *, offline: bool) -> str:
    """The commit that the tag names. As a bundle said it, where the repository cannot be asked and the commit is known."""
    tag = wanted.tag or ""
    try:
        return repository.tag(tag, offline=offline)
    except GitError:
        if offline or wanted.commit is None or not repository.has(wanted.commit):
            raise
        return repository.tag(tag, offline=True)


def fetch_project(
    wanted: Wanted,
    project: Project,
    cache: Path,
    destination: Path,
    *,
    offline: bool,
    bundles: Callable[[str], Iterator[Path]] = _no_bundles,
) -> tuple[Project, Origin]:
    """The wanted commit as a checkout of this repository. Raises GitError if it is none."""
    root, origin = fetch(wanted, project, cache, destination, offline=offline, bundles=bundles)
    fetched = FetchedProject(root, project)
    for place in (fetched.environment_lock, fetched.image_lock, fetched.mkosi):
        if not place.exists() or place.resolve() != root.resolve() / place.relative_to(
            root
        ):  # a link may lead anywhere
            name = place.relative_to(root)
            raise GitError(f"the commit {origin.commit} has no {name}", hint="Name a commit of this repository.")
    return fetched, origin


def _own_repository(project: Project) -> str:
    try:
        return repository_of(project.root)
    except TeekitError as error:
        raise GitError(
            f"{project.root} is not in a git repository: there are no commits to fetch from",
            hint="Name the repository with --repository URL.",
        ) from error


def repository_of(folder: Path) -> str:
    """The git repository that a folder of a work tree is in. Raises TeekitError for one that is in none."""
    return git.read(folder, "rev-parse", "--path-format=absolute", "--git-common-dir").decode().strip()


def with_repository(wanted: Wanted, repository: str | None) -> Wanted:
    """Another place to fetch from: what is fetched is the same, as a commit is named by its content."""
    return wanted if repository is None else replace(wanted, repository=git.require_repository(repository))


def commit_or_tag(text: str) -> Wanted:
    """What `--commit` names. Raises TeekitError for a name that is another commit in every checkout."""
    if re.match(r"(HEAD|@)(?![\w./-])", text):
        raise TeekitError(
            f"--commit: {printable(text[:40])} is another commit in every checkout",
            hint=f"Give the commit itself, which `git rev-parse {printable(text[:40])}` prints, or a tag.",
        )
    is_commit = all(character in "0123456789abcdef" for character in text) and len(text) in {40, 64}
    return Wanted(None, text, None) if is_commit else Wanted(None, None, git.require_tag(text))
