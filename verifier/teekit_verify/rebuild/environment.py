"""The pinned environment: a tree of Debian tools in the Nix store, named by its content.

The store path follows from the tree's NAR (content, executable bits, symlinks; no times, owners or other modes), so a
matching store path and NAR hash prove that the tools are those of the lock.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError, ToolFailedError
from teekit_verify.rebuild.lock import EnvironmentIdentity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.core.digest import Digest
    from teekit_verify.core.download import DownloadStore, RemoteFile
    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.lock import PackageLock
    from teekit_verify.rebuild.project import Project

STORE_NAME = "teekit-build-env"
_TIMEOUT_SECONDS = 1800
_NIX_HINT = "Run scripts/setup_deps.sh, which installs nix."


def tools(project: Project) -> list[str]:
    """The packages whose closure is the environment."""
    lines = project.environment_packages.read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


class PinnedEnvironmentError(TeekitError):
    """The environment cannot be made, or is not the one its lock names."""


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment in the Nix store; `root` becomes `/` in the sandbox. `lock_sha256` is the digest of its lock."""

    identity: EnvironmentIdentity
    lock_sha256: Digest

    @property
    def root(self) -> Path:
        return Path(self.identity.store_path)


def existing(lock: PackageLock) -> Environment | None:
    """The lock's environment if it is in the store, its bytes hashed again; None if it is not there or is damaged."""
    if lock.environment is None or not Path(lock.environment.store_path).is_dir():
        return None
    try:
        identity = _identify(lock.environment.store_path)
        process.run(
            ["nix-store", "--verify-path", lock.environment.store_path],
            timeout_seconds=_TIMEOUT_SECONDS,
            environment=nix_environment(),
        )
    except (ToolFailedError, PinnedEnvironmentError):
        return None
    return Environment(identity, lock.digest()) if identity == lock.environment else None


def build(
    project: Project,
    lock: PackageLock,
    store: DownloadStore,
    files: Sequence[RemoteFile],
    scratch: Path,
    *,
    progress: Progress,
) -> Environment:
    """Fetch and unpack the lock's packages into the Nix store. The result is what the lock says, if it says anything.

    `files` are the packages' sources, in the lock's order; `scratch` is emptied before and after. Raises
    PinnedEnvironmentError when the unpacked tree is not the locked one.
    """
    process.find_program("nix", hint=_NIX_HINT)
    with progress.step(f"fetch the environment's {len(files)} packages"):
        store.fetch(files, progress=progress.count)
    with progress.step("unpack the environment into the Nix store"):
        identity = _assemble(project, [store.path(file.digest) for file in files], scratch)
    if lock.environment is not None and identity != lock.environment:
        raise PinnedEnvironmentError(
            f"the environment is {identity.store_path} with {identity.nar_hash}, "
            f"but its lock says {lock.environment.store_path} with {lock.environment.nar_hash}",
            hint="Restore nix/assemble_environment.sh and the lock, or write a new lock with `teekit-verify env lock`.",
        )
    return Environment(identity, lock.digest())


def _assemble(project: Project, debs: Sequence[Path], scratch: Path) -> EnvironmentIdentity:
    tree = scratch / "tree"
    _remove(scratch)
    scratch.mkdir(parents=True)
    listing = "".join(f"{deb}\n" for deb in debs).encode()
    try:
        process.run(
            ["sh", str(project.assemble_script), str(tree)],
            timeout_seconds=_TIMEOUT_SECONDS,
            stdin=listing,
            environment={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )
        added = process.run(
            ["nix", "store", "add-path", "--name", STORE_NAME, str(tree)],
            timeout_seconds=_TIMEOUT_SECONDS,
            environment=nix_environment(),
        )
    finally:
        _remove(scratch)
    return _identify(added.stdout.decode().strip())


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _identify(store_path: str) -> EnvironmentIdentity:
    """What Nix's database says of a store path. The shape of the JSON depends on Nix's version."""
    output = process.run(
        ["nix", "path-info", "--json", store_path], timeout_seconds=_TIMEOUT_SECONDS, environment=nix_environment()
    ).stdout
    document = json.loads(output)
    entry = document[0] if isinstance(document, list) else document[store_path]
    if not entry or "narHash" not in entry:  # a folder left by a build that failed, say
        raise PinnedEnvironmentError(f"Nix does not know {store_path}")
    return EnvironmentIdentity(store_path=store_path, nar_hash=entry["narHash"])


def nix_environment() -> dict[str, str]:
    """Nix's settings for a content-addressed add: nothing is built or substituted, so no build users are needed."""
    settings = ["experimental-features = nix-command flakes", "substituters ="]
    if os.geteuid() == 0:
        settings.append("build-users-group =")
    return {**os.environ, "NIX_CONFIG": "\n".join(settings)}
