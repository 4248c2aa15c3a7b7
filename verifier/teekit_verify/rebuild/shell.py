"""The environment for interactive use: a shell, or a command, that sees the network and of the host's files the folder one stands in.

Root of the host is nobody on the host in there, as in a build; what is made in the folder is its owner's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError
from teekit_verify.rebuild import idmapped
from teekit_verify.rebuild.sandbox import Sandbox, own_first_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.rebuild.provision import Provision


def become_shell(provision: Provision, working_directory: Path, command: Sequence[str]) -> None:
    """Replace this process by a command in the environment. Raises TeekitError for a folder that it cannot be given."""
    sandbox = shell_sandbox(provision, working_directory)
    inside = sandbox.command_line(list(command))
    if sandbox.first_id is not None:
        idmapped.give(Path(sandbox.working_directory), sandbox.first_id)
    process.become(inside)


def shell_sandbox(provision: Provision, working_directory: Path) -> Sandbox:
    """The working directory writable in its place, the network on. With a `first_id`, the folder has yet to be given to it."""
    here = working_directory.resolve()
    if here == Path("/") or any(here.is_relative_to(place) for place in ("/usr", "/etc")):
        raise TeekitError(f"{here} would take the environment's place", hint="Change into another folder.")
    names = Path("/etc/resolv.conf")
    return Sandbox(
        root=provision.environment().root,
        binds={str(here): here},
        read_only_binds={str(names): names} if names.exists() else {},
        working_directory=str(here),
        network=True,
        terminal=True,
        first_id=own_first_id() if idmapped.is_host_root() else None,
    )
