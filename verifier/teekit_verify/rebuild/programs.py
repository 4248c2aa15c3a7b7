"""The host's programs that read what a stranger wrote (apt, gpg, ssh-keygen), in the sandbox.

They see `/usr`, what they read and, if any, the one folder that they fill; without a network, where they need none. For root
they run under ids that are nobody's on the host.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.output import MOST_STDOUT_BYTES
from teekit_verify.rebuild.sandbox import Sandbox, named_by, own_first_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from teekit_verify.core import process

# For names, certificates and the time zone of the network's programs.
_NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/ssl")
# ssh-keygen(1) and others ask who they are.
_BEGIN = 'mkdir -p /etc && echo "root:x:0:0::/root:/bin/sh" >/etc/passwd && exec "$@"'


def where_tools_are() -> dict[str, Path]:
    """What must be seen besides `/usr`: on NixOS the host's programs lie in the Nix store."""
    found, store = shutil.which("dpkg-deb"), Path("/nix/store")
    return {str(store): store} if found is not None and Path(found).resolve().is_relative_to(store) else {}


def path() -> str:
    """PATH in such a sandbox."""
    return os.environ["PATH"] if where_tools_are() else "/usr/sbin:/usr/bin"


def run(
    command: Sequence[str],
    *,
    bounds: Sequence[str],
    timeout_seconds: float,
    reads: Mapping[str, Path] | None = None,
    fills: Mapping[str, Path] | None = None,
    environment: Mapping[str, str] | None = None,
    network: bool = False,
    working_directory: str = "/",
    stdin: bytes | None = None,
    accept: tuple[int, ...] = (0,),
    most_bytes: int = MOST_STDOUT_BYTES,
    watch: Callable[[], str | None] = lambda: None,
) -> process.Completed:
    """Run a command as `Sandbox.run` does. `bounds` are options of prlimit(1); `reads` and `fills`: place in the sandbox -> the host's.

    What is read must be readable by everybody: see `opened_up`.
    """
    sandbox = Sandbox(
        root=Path("/"),
        tree=("usr",),
        binds=dict(fills or {}),
        read_only_binds={
            **{place: Path(place) for place in (_NETWORK if network else ()) if Path(place).exists()},
            **where_tools_are(),
            **(reads or {}),
        },
        environment={"PATH": path(), "LC_ALL": "C.UTF-8", "HOME": "/root", **(environment or {})},
        working_directory=working_directory,
        network=network,
        first_id=own_first_id(),
    )
    with named_by(command[0]):
        return sandbox.run(
            ["sh", "-c", _BEGIN, "sh", "prlimit", *bounds, "--core=0", "--", *command],
            timeout_seconds=timeout_seconds,
            stdin=stdin,
            accept=accept,
            most_bytes=most_bytes,
            watch=watch,
        )


def opened_up(folder: Path) -> Path:
    """A folder of ours, now readable in a sandbox of root, who is nobody on the host; and its own, where it is filled there."""
    for place in (folder, *folder.rglob("*")):
        if not place.is_symlink():
            place.chmod(0o755 if place.is_dir() else 0o644)
    return folder


def given_away(folder: Path) -> Path:
    """A folder of ours, closed to others, that now belongs to the sandbox's root."""
    first = own_first_id()
    for place in (folder, *folder.rglob("*")):
        if first is not None:
            os.lchown(place, first, first)
    return folder
