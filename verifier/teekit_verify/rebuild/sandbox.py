"""The bubblewrap sandbox: the pinned environment as `/`, nothing of the host but its kernel and what is bound by name."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import process

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGES = "/packages"  # where builds find the image's packages (mkosi.conf: PackageDirectories=)
BASE_ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}
_TREE = ("usr", "etc", "var")
_USR_LINKS = ("bin", "lib", "lib64", "sbin")
_SCRATCH = ("/home", "/root", "/run", "/tmp", "/var/tmp")  # noqa: S108 - places in the sandbox
_HINT = "Run scripts/setup_deps.sh, which installs bubblewrap."


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a command sees. `root` is the environment's tree; `binds` and `read_only_binds` map places in the sandbox to places on the host.

    `environment` is the whole environment. `processors` are the CPU numbers the command may use, None for all.
    """

    root: Path
    binds: Mapping[str, Path] = field(default_factory=dict)
    read_only_binds: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(BASE_ENVIRONMENT))
    hostname: str = "teekit"
    working_directory: str = "/"
    network: bool = False
    umask: int = 0o022
    processors: tuple[int, ...] | None = None
    terminal: bool = False

    def argv(self, command: list[str]) -> list[str]:
        """The bubblewrap command line; a pure function of the sandbox and the command."""
        return [
            "bwrap",
            *("--tmpfs", "/"),  # so that folders can be bound anywhere
            *(option for name in _TREE for option in ("--ro-bind", str(self.root / name), f"/{name}")),
            *(option for name in _USR_LINKS for option in ("--symlink", f"usr/{name}", f"/{name}")),
            *("--proc", "/proc", "--dev", "/dev"),
            *(option for place in _SCRATCH for option in ("--tmpfs", place)),
            *(option for pair in self.read_only_binds.items() for option in ("--ro-bind", str(pair[1]), pair[0])),
            *(option for pair in self.binds.items() for option in ("--bind", str(pair[1]), pair[0])),
            *("--unshare-uts", "--hostname", self.hostname, "--unshare-ipc", "--unshare-pid", "--unshare-cgroup-try"),
            *(() if self.network else ("--unshare-net",)),
            *("--cap-add", "ALL", "--die-with-parent"),
            *(() if self.terminal else ("--new-session",)),
            "--clearenv",
            *(option for pair in sorted(self.environment.items()) for option in ("--setenv", *pair)),
            *("--chdir", self.working_directory, "--"),
            *self._wrapper(),
            *command,
        ]

    def _wrapper(self) -> list[str]:
        wrapper = ["sh", "-c", f'umask {self.umask:04o}; exec "$@"', "sh"]
        if self.processors is not None:
            wrapper += ["taskset", "--cpu-list", ",".join(map(str, self.processors))]
        return wrapper

    def run(self, command: list[str], *, timeout_seconds: float, log: Path | None = None) -> process.Completed:
        """Run a command to its end. Raises ToolMissingError without bubblewrap, ToolFailedError if the command fails."""
        process.find_program("bwrap", hint=_HINT)
        return process.run(
            [*_become_root(), *self.argv(command)],
            timeout_seconds=timeout_seconds,
            log=log,
            environment=_host_environment(),
        )

    def become(self, command: list[str]) -> None:
        """Replace this process by the command: for shells, which need the terminal."""
        process.find_program("bwrap", hint=_HINT)
        process.become([*_become_root(), *self.argv(command)])


def _become_root() -> tuple[str, ...]:
    """For other users than root: a user namespace with all of their subordinate ids (subuid(5)), as mkosi wants root."""
    return () if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--map-auto")


def _host_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath)}
