"""`teekit-verify env`: make, show and re-lock a pinned environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teekit_verify.cli.env.enter import mkosi, shell
from teekit_verify.cli.options import shared
from teekit_verify.cli.options.groups import GroupedCommand
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from teekit_verify.api import EnvironmentIdentity

env = typer.Typer(help="The pinned environment: build, show, lock or enter it.", rich_markup_mode=None)


@env.command("build")
def build(
    source: shared.SourceOption = None,
    environment: shared.EnvironmentOption = None,
    mirror: shared.MirrorOption = None,
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Make or find the environment that the lock names; check it.

    It is in the Nix store.
    """
    found = shared.provision(source, mirror, snapshot_archive, environment=environment).environment()
    _print_identity(found.identity, json_output=json_output)
    return ExitStatus.HOLDS


@env.command("show")
def show(
    source: shared.SourceOption = None,
    environment: shared.EnvironmentOption = None,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Show what the lock names: store path, NAR hash and packages."""
    from teekit_verify import api

    locked = api.environment_lock(source, environment)
    if json_output:
        typer.echo(locked.dump().decode(), nl=False)
        return ExitStatus.HOLDS
    for package in locked.packages:
        shared.tell(f"{package.name} {package.version}")
    shared.tell(
        f"snapshot {locked.snapshot}, {len(locked.packages)} packages, {sum(p.size_bytes for p in locked.packages)} bytes"
    )
    if locked.environment is not None:
        _print_identity(locked.environment, json_output=False)
    return ExitStatus.HOLDS


@env.command("lock")
def lock_(
    source: shared.SourceOption = None,
    environment: shared.EnvironmentOption = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write it. [default: the environment's file in nix/]")
    ] = None,
    mirror: shared.MirrorOption = None,
    snapshot_archive: shared.SnapshotArchiveOption = shared.SNAPSHOT_ARCHIVE,
    json_output: shared.JsonOption = False,
    debug: shared.DebugOption = False,
) -> ExitStatus:
    """Lock the environment anew: resolve, build, write its lock.

    Its packages are those of today's Debian archive.
    """
    bringing = shared.provision(source, mirror, snapshot_archive, environment=environment)
    locked = bringing.new_environment_lock()
    lock_path = output or bringing.project.environment_lock
    locked.write(lock_path)
    if locked.environment is not None:
        _print_identity(locked.environment, json_output=json_output)
    shared.say(f"wrote {lock_path}")
    return ExitStatus.HOLDS


def _print_identity(identity: EnvironmentIdentity, *, json_output: bool) -> None:
    if json_output:
        from teekit_verify.report.lock_schemas import ENVIRONMENT_SCHEMA, as_text

        typer.echo(as_text(ENVIRONMENT_SCHEMA, identity.model_dump()))
    else:
        shared.tell(f"store path {identity.store_path}")
        shared.tell(f"NAR hash   {identity.nar_hash}")


env.command("shell", cls=GroupedCommand, context_settings={"ignore_unknown_options": True})(shell)
env.command("mkosi", context_settings={"ignore_unknown_options": True, "help_option_names": []})(mkosi)
