"""`teekit-verify env shell` and `mkosi`: enter the pinned environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import shared


def shell(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="A command and its arguments. [default: bash]")
    ] = None,
    source: shared.SourceOption = None,
    environment: shared.EnvironmentOption = None,
    mirror: shared.MirrorOption = None,
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE,
    debug: shared.DebugOption = False,
) -> None:
    """Run a command, or a shell, in the environment.

    The network is there; of the host's files only the working directory is, and it is writable.
    Root is nobody on the host in there: what is made belongs to the folder's owner.
    """
    from teekit_verify import api

    bringing = shared.provision(source, mirror, snapshot_archive, environment=environment)
    api.become_shell(bringing, Path.cwd(), command or ["bash"])


def mkosi(
    arguments: Annotated[
        list[str], typer.Argument(metavar="ARGUMENTS", help="As for mkosi: --force --profile=gcp -I tdx-kettle.conf")
    ],
    source: shared.SourceOption = None,
    mirror: shared.MirrorOption = None,
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE,
    npm_registry: shared.NpmRegistryOption = None,
    debug: shared.DebugOption = False,
) -> None:
    """Build an image once, by mkosi's own command line.

    It is built as a rebuild would. Its files go to build/ in the checkout.
    """
    from teekit_verify import api

    api.become_mkosi(shared.provision(source, mirror, snapshot_archive, npm_registry), arguments)
