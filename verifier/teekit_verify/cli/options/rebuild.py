"""Options of `rebuild`: what is rebuilt, how, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
        help="--source is anybody's mkosi project that makes a UKI; these are its mkosi options, or ''.",
    ),
]
WithoutNetworkOption = Annotated[
    bool,
    typer.Option(
        "--without-network",
        help="Build a project whose scripts look as if they fetched from the network: builds have none.",
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
        help="Take packages from this apt repository of the project too, also given as URL=FILE with its key. Repeatable.",
        show_default=False,
    ),
]
AllowDirtyOption = Annotated[
    bool, typer.Option("--allow-dirty", help="Build files that are in no commit; the report says so.")
]
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
    typer.Option("--locked", help="Never take other packages than the locked ones, also where those are gone."),
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
    bool, typer.Option("--no-reference", help="Compare with nothing published: for a new release, say.")
]
OutputOption = Annotated[Path, typer.Option(metavar="DIR", help="The folder for the report.")]
WorkspaceOption = Annotated[
    Path, typer.Option(metavar="DIR", help="The folder to build in; it survives an interruption.")
]
KeepOption = Annotated[bool, typer.Option("--keep", help="Keep the workspace when there is a verdict.")]
CleanOption = Annotated[
    bool, typer.Option("--clean", help="Take no build of an earlier run that was interrupted or kept.")
]
RebuildersSaidOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--rebuilders-said",
        metavar="FILE",
        help="Also tell what rebuilders of Debian say of the packages: a saved answer, as `packages --from` takes it. May be repeated.",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]
ParallelOption = Annotated[bool, typer.Option("--parallel", help="Make both builds at the same time.")]
VaryOption = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="What to vary: none, default or all, and +NAME or -NAME, with commas. docs/what-a-pass-means.md",
    ),
]
