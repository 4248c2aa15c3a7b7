"""What `rebuild` is to rebuild, as options."""

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
AllowDirtyOption = Annotated[
    bool, typer.Option("--allow-dirty", help="Build files that are in no commit; the report says so.")
]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Use only what is in the cache already.")]
