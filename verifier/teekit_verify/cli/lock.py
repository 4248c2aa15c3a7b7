"""`teekit-verify lock` and `fetch`: pin the packages of the images, compare and check locks; bring the packages here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.lock_review import check, diff
from teekit_verify.cli.options import shared
from teekit_verify.cli.options.rebuild import RepositoryOption
from teekit_verify.core.outcome import ExitStatus

lock = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
lock.command("diff")(diff)
lock.command("check")(check)


@lock.callback()
def make(
    context: typer.Context,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write it. [default: mkosi/packages.lock.json]")
    ] = None,
    source: shared.SourceOption = None,
    mirror: shared.MirrorOption = None,
    snapshot: shared.SnapshotOption = None,
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus | None:
    """Pin the packages of all images; compare and check locks.

    Without a command, they are locked as the signed index of today's Debian archive lists them.
    """
    from teekit_verify.report.lock_schemas import LOCKED_SCHEMA, as_text

    if context.invoked_subcommand is not None:
        shared.require_no_options(context)
        return None
    bringing = replace(shared.provision(source, mirror, snapshot_archive), snapshot=snapshot)
    locked = bringing.new_image_lock()
    path = output or bringing.project.image_lock
    locked.write(path)
    summary = {"lock": str(path), "sha256": locked.digest().hex, "packages": len(locked.packages)}
    if json_output:
        typer.echo(as_text(LOCKED_SCHEMA, summary))
    else:
        shared.tell(f"{summary['packages']} packages, lock {summary['sha256']}")
    shared.say(f"wrote {path}")
    return ExitStatus.HOLDS


def fetch(
    image: shared.ImageOption = "base",
    profile: shared.ProfileOption = None,
    kernel: shared.KernelOption = "debian",
    lock_file: shared.LockOption = None,
    release: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Fetch what the rebuild of this release of reference/releases needs."),
    ] = None,
    repository: RepositoryOption = None,
    source: shared.SourceOption = None,
    inputs: shared.InputsOption = None,
    mirror: shared.MirrorOption = None,
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE,
    npm_registry: shared.NpmRegistryOption = None,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Download the locked packages of an image; check their digests.

    With --release all that its rebuild needs: environment, image and source. Then `rebuild --release NAME --offline` works.
    """
    from teekit_verify import api
    from teekit_verify.report.lock_schemas import FETCHED_SCHEMA, as_text

    bringing = shared.provision(source, mirror, snapshot_archive, npm_registry, inputs)
    if release is not None:
        found = api.fetch_release(bringing, release, repository=repository)
    else:
        found = api.fetch_image(bringing, image, shared.profiles_of(kernel, profile), lock_file=lock_file)
    size_bytes = sum(package.size_bytes for package in found.packages)
    summary = {"packages": len(found.packages), "size_bytes": size_bytes, "lock_sha256": found.lock_sha256}
    if json_output:
        typer.echo(as_text(FETCHED_SCHEMA, summary))
    else:
        shared.tell_outcome(f"{len(found.packages)} packages, {size_bytes} bytes, all present and checked")
    return ExitStatus.HOLDS
