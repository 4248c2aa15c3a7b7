"""`teekit-verify inputs`: archives of all that the rebuild of a release needs."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import shared
from teekit_verify.cli.options.rebuild import OfflineOption, RepositoryOption
from teekit_verify.core.outcome import ExitStatus

inputs = typer.Typer(help="Archives of a release's inputs: create, check, prune.", rich_markup_mode=None)


@inputs.command("create")
def create(
    release: Annotated[str, typer.Option(metavar="NAME", help="A release of reference/releases.")],
    output: Annotated[Path, typer.Option(metavar="DIR", help="The archive; releases already in it are kept.")],
    wheels: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Also put in those wheels of this folder that the release's requirements.lock names.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    source: shared.SourceOption = None,
    repository: RepositoryOption = None,
    inputs_from: shared.InputsOption = None,
    offline: OfflineOption = False,
    mirror: shared.MirrorOption = None,
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE,
    npm_registry: shared.NpmRegistryOption = None,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Put all that a release needs into an archive.

    Both locks, their packages and the source: an OCI image layout, which any web server or registry can serve. docs/inputs.md
    """
    from teekit_verify import api
    from teekit_verify.report.lock_schemas import CREATED_SCHEMA, as_text

    bringing = shared.provision(source, mirror, snapshot_archive, npm_registry, inputs_from)
    created = api.create_archive(
        replace(bringing, offline=offline), release, output, repository=repository, wheels=wheels
    )
    summary = {
        "release": release,
        "manifest": created.manifest.digest,
        "files": created.files,
        "size_bytes": created.size_bytes,
    }
    if json_output:
        typer.echo(as_text(CREATED_SCHEMA, summary))
    else:
        shared.tell(f"{release}: {created.files} files, {created.size_bytes} bytes, manifest {created.manifest.digest}")
    shared.say(f"wrote {output}")
    return ExitStatus.HOLDS


@inputs.command("check")
def check(
    place: Annotated[str, typer.Argument(metavar="PLACE", help="A folder, an address, or oci://HOST/NAME[:TAG].")],
    release: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Only this release of reference/releases. [default: all in the archive]",
            show_default=False,
        ),
    ] = None,
    source: shared.SourceOption = None,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Check every file of an archive, and that none is missing.

    Each against the manifest, and the manifest against the locks of its commit.

    Exit status: 0 it is whole, 1 something is missing or wrong, 2 it cannot be read.
    """
    from teekit_verify import api
    from teekit_verify.report.lock_schemas import CHECKED_SCHEMA, as_text

    found = api.check_archive(place, shared.cache_directory(), release=release, checkout=source)
    status = ExitStatus.DOES_NOT_HOLD if found.problems else ExitStatus.HOLDS
    if json_output:
        plain = {**asdict(found), "problems": [{**asdict(one), "wrong": one.wrong.value} for one in found.problems]}
        typer.echo(as_text(CHECKED_SCHEMA, plain, status))
    else:
        for one in found.problems:
            shared.tell(f"{one.release}: {one.title}: {one.wrong.value} {one.digest}".rstrip())
        ending = f"{len(found.problems)} problems" if found.problems else "whole"
        shared.tell_outcome(f"{found.manifests} releases, {found.files} files, {found.size_bytes} bytes: {ending}")
    return status


@inputs.command("prune")
def prune(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="An archive.", exists=True, file_okay=False)],
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Remove the files of an archive that no release in it needs."""
    from teekit_verify import api
    from teekit_verify.report.lock_schemas import PRUNED_SCHEMA, as_text

    removed, size_bytes = api.prune_archive(folder)
    summary = {"removed": removed, "size_bytes": size_bytes}
    if json_output:
        typer.echo(as_text(PRUNED_SCHEMA, summary))
    else:
        shared.tell(f"{summary['removed']} files removed, {summary['size_bytes']} bytes")
    return ExitStatus.HOLDS
