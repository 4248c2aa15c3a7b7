"""Options of `rebuild`, in groups: what is rebuilt, what it is compared with, where packages come from, how and where it is built.

They become one request, and that one call of the API.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from teekit_verify.cli.options import shared

if TYPE_CHECKING:
    from teekit_verify.api import Choice, Provision, RebuildRequest

ReleaseOption = Annotated[
    str | None,
    typer.Option(
        help="Rebuild a release of reference/releases: its source, image and reference values.", metavar="NAME"
    ),
]
CommitOption = Annotated[
    str | None,
    typer.Option(
        metavar="COMMIT", help="Rebuild this commit, or tag, of the repository instead of the files as they are."
    ),
]
RepositoryOption = Annotated[
    str | None, typer.Option(help="Another place to fetch the commit from.", metavar="URL", show_default=False)
]
TagKeyOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The key that must have signed the tag: an OpenPGP public key, or ssh's allowed signers.",
        exists=True,
        dir_okay=False,
    ),
]
MkosiArgsOption = Annotated[
    str | None,
    typer.Option(
        "--mkosi-args",
        metavar="ARGUMENTS",
        help="Treat --source as any mkosi project that makes a UKI; these are its mkosi options, or ''.",
    ),
]
WithoutNetworkOption = Annotated[
    bool,
    typer.Option(
        "--without-network",
        help="Build although the project's scripts look as if they fetched from the network, which builds do not have.",
    ),
]
WithSubmodulesOption = Annotated[
    bool,
    typer.Option(
        "--with-submodules", help="Copy the project's submodules too, at the commits it names; they must be there."
    ),
]
WithLfsOption = Annotated[
    bool,
    typer.Option(
        "--with-lfs", help="Copy files of Git LFS too, from the work tree, with the digests that the project names."
    ),
]
AllowRepositoryOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-repository",
        metavar="URL",
        help="Take packages from this apt repository of the project too, also given as URL=FILE with its key. May be repeated.",
        show_default=False,
    ),
]
AllowNetworkFetchOption = Annotated[
    bool,
    typer.Option(
        "--allow-network-fetch",
        help="Let the project's scripts fetch while build A is made; each answer is recorded, reported, and all that build B gets.",
    ),
]
FetchedOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Give scripts only what an earlier rebuild recorded: the folder `fetched` of its report.",
        exists=True,
        file_okay=False,
        show_default=False,
    ),
]
AllowDirtyOption = Annotated[bool, typer.Option("--allow-dirty", help="Build uncommitted files; the report says so.")]
AllowForeignEnvironmentOption = Annotated[
    bool,
    typer.Option(
        "--allow-foreign-environment",
        help="Build a commit with tools that are neither this program's nor shown to be Debian's; the report says so.",
    ),
]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Use only what is in the cache already.")]
LockedOption = Annotated[
    bool,
    typer.Option("--locked", help="Use only the locked packages, even if some are gone."),
]
TodaysPackagesOption = Annotated[
    bool,
    typer.Option(
        "--todays-packages",
        help="Build this checkout from today's packages: the verdict is INPUT_DRIFT at best.",
    ),
]
ReferenceOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="What was published. [default: the image's file in reference/, if there is one]"),
]
NoReferenceOption = Annotated[
    bool, typer.Option("--no-reference", help="Do not compare with anything published, as for a new release.")
]
OutputOption = Annotated[Path, typer.Option(metavar="DIR", help="The folder for the report.")]
WorkspaceOption = Annotated[
    Path, typer.Option(metavar="DIR", help="The folder to build in; it survives an interruption.")
]
KeepOption = Annotated[bool, typer.Option("--keep", help="Keep the workspace when there is a verdict.")]
CleanOption = Annotated[
    bool, typer.Option("--clean", help="Do not reuse builds of an earlier run that was interrupted or kept.")
]
RebuildersSaidOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--rebuilders-said",
        metavar="FILE",
        help="Also show what Debian rebuilders say about the packages: a saved answer, as `packages --from` takes it. May be repeated.",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]
ParallelOption = Annotated[
    bool,
    typer.Option(
        "--parallel",
        help="Run both builds at the same time: faster, but recorded times differ less, and may go unnoticed.",
    ),
]
VaryOption = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="What to vary: none, default or all, and +NAME or -NAME, with commas. docs/what-a-pass-means.md",
    ),
]


@dataclass(frozen=True, slots=True)
class SubjectOptions:
    """Which source, and which image of it."""

    HEADING: ClassVar = "What is rebuilt"
    image: shared.ImageOption = "base"
    profile: shared.ProfileOption = None
    kernel: shared.KernelOption = "debian"
    source: shared.SourceOption = None
    release: ReleaseOption = None
    commit: CommitOption = None
    repository: RepositoryOption = None
    tag_key: TagKeyOption = None
    mkosi_args: MkosiArgsOption = None
    environment: shared.EnvironmentOption = None
    without_network: WithoutNetworkOption = False
    with_submodules: WithSubmodulesOption = False
    with_lfs: WithLfsOption = False
    allow_repository: AllowRepositoryOption = None
    allow_network_fetch: AllowNetworkFetchOption = False
    fetched: FetchedOption = None
    allow_dirty: AllowDirtyOption = False
    allow_foreign_environment: AllowForeignEnvironmentOption = False


@dataclass(frozen=True, slots=True)
class ComparisonOptions:
    """The reference, or none."""

    HEADING: ClassVar = "What it is compared with"
    reference: ReferenceOption = None
    no_reference: NoReferenceOption = False


@dataclass(frozen=True, slots=True)
class PackageOptions:
    """Which packages are taken, and who is asked for them."""

    HEADING: ClassVar = "Where packages come from"
    lock_file: shared.LockOption = None
    locked_only: LockedOption = False
    todays_packages: TodaysPackagesOption = False
    rebuilders_said: RebuildersSaidOption = None
    offline: OfflineOption = False
    inputs: shared.InputsOption = None
    mirror: shared.MirrorOption = None
    snapshot: shared.SnapshotOption = None
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE
    npm_registry: shared.NpmRegistryOption = None


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How the two builds are made, and the folders that they and the report take."""

    HEADING: ClassVar = "How and where it is built"
    output: OutputOption = Path("report")
    workspace: WorkspaceOption = Path("workspace")
    keep: KeepOption = False
    clean: CleanOption = False
    parallel: ParallelOption = False
    vary: VaryOption = "default"


def rebuild_request(
    subject: SubjectOptions,
    comparison: ComparisonOptions,
    packages: PackageOptions,
    build: BuildOptions,
    command: tuple[str, ...],
) -> RebuildRequest:
    """`command` is the command line, for the report."""
    from teekit_verify import api

    return api.RebuildRequest(
        _choice(subject),
        _provision(subject, packages),
        build.output,
        build.workspace,
        reference=comparison.reference,
        no_reference=comparison.no_reference,
        lock_file=packages.lock_file,
        keep=build.keep,
        clean=build.clean,
        parallel=build.parallel,
        vary=build.vary,
        locked_only=packages.locked_only,
        todays_packages=packages.todays_packages,
        command=command,
        rebuilders_said=api.SavedAnswers.load(packages.rebuilders_said or ()),
    )


def _choice(subject: SubjectOptions) -> Choice:
    from teekit_verify import api

    return api.Choice(
        image=subject.image,
        profiles=shared.profiles_of(subject.kernel, subject.profile),
        source=subject.source,
        release=subject.release,
        commit=subject.commit,
        repository=subject.repository,
        tag_key=subject.tag_key,
        mkosi_args=subject.mkosi_args,
        allow_dirty=subject.allow_dirty,
        allow_foreign_environment=subject.allow_foreign_environment,
        environment=subject.environment,
        without_network=subject.without_network,
        with_submodules=subject.with_submodules,
        with_lfs=subject.with_lfs,
        allow_repositories=tuple(subject.allow_repository or ()),
        allow_network_fetch=subject.allow_network_fetch,
        fetched=subject.fetched,
    )


def _provision(subject: SubjectOptions, packages: PackageOptions) -> Provision:
    own = subject.source if subject.mkosi_args is None else None  # another project is built with our environment
    found = shared.provision(own, packages.mirror, packages.snapshot_archive, packages.npm_registry, packages.inputs)
    return replace(found, offline=packages.offline, snapshot=packages.snapshot)
