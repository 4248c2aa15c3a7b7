"""The pinned environment: a tree of Debian tools in the Nix store, named by its content.

The store path follows from the tree's NAR (content, executable bits, symlinks; no times, owners or other modes), so a
matching store path and NAR hash prove that the tools are those of the lock.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError, ToolFailedError
from teekit_verify.core.files import exclusive
from teekit_verify.documents.model import Environment as Record
from teekit_verify.rebuild import programs
from teekit_verify.rebuild.limits import leaves_room
from teekit_verify.rebuild.lock import EnvironmentIdentity
from teekit_verify.rebuild.sandbox import Sandbox, own_first_id
from teekit_verify.rebuild.workspace import place_readable, remove

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from teekit_verify.core.digest import Digest
    from teekit_verify.core.download import DownloadStore, RemoteFile
    from teekit_verify.core.progress import Progress
    from teekit_verify.rebuild.lock import PackageLock
    from teekit_verify.rebuild.project import Project

STORE_NAME = "teekit-build-env"
# The program's, whatever checkout or commit is rebuilt.
ASSEMBLE_SCRIPT = Path(__file__).with_name("assemble_environment.sh")
_TREE, _PACKAGES, _LIST, _SCRIPT = "/tree", "/packages", "/list", "/assemble"  # places in the sandbox
_TIMEOUT_SECONDS = 1800
_STATE = Path("/nix/var/nix")
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

    @property
    def record(self) -> Record:
        """How inputs and reports name it."""
        return Record(self.lock_sha256, self.identity.nar_hash, self.identity.store_path)


def existing(lock: PackageLock) -> Environment | None:
    """The lock's environment if it is in the store, its bytes hashed now; None if it is not there or is damaged."""
    locked = lock.environment
    if locked is None or _nar_hash(Path(locked.store_path)) != locked.nar_hash:
        return None
    return Environment(locked, lock.digest())


def hold(environment: Environment, link: Path) -> None:
    """Keep the environment from Nix's garbage collection while the symlink `link` exists: builds take a while.

    In somebody else's store that is up to them.
    """
    link.unlink(missing_ok=True)
    if _STATE.is_dir() and not os.access(_STATE, os.W_OK) and not (_STATE / "daemon-socket" / "socket").exists():
        return
    argv = ["nix-store", "--realise", environment.identity.store_path, "--add-root", str(link), "--indirect"]
    process.run(argv, timeout_seconds=_TIMEOUT_SECONDS, environment=nix_environment())


def build(
    lock: PackageLock,
    store: DownloadStore,
    files: Sequence[RemoteFile],
    scratch: Path,
    *,
    progress: Progress,
) -> Environment:
    """Fetch and unpack the lock's packages into the Nix store. The result is what the lock says, if it says anything.

    `files` are the packages' sources, in the lock's order; `scratch` is emptied before and after, by one run at a time.
    Raises PinnedEnvironmentError when the unpacked tree is not the locked one.
    """
    process.find_program("nix", hint=_NIX_HINT)
    with progress.step(f"fetch the environment's {len(files)} packages"):
        store.fetch(files, progress=progress.count, waiting=lambda found: progress.waiting(found.in_words()))
    with (
        progress.step("unpack the environment into the Nix store"),
        exclusive(scratch.with_name(f"{scratch.name}.lock")),
    ):
        identity = _assemble([store.path(file.digest) for file in files], scratch)
    if lock.environment is not None and identity != lock.environment:
        raise PinnedEnvironmentError(
            f"the environment is {identity.store_path} with {identity.nar_hash}, "
            f"but its lock says {lock.environment.store_path} with {lock.environment.nar_hash}",
            hint="Restore the lock, or write a new one with `teekit-verify env lock`.",
        )
    return Environment(identity, lock.digest())


def _assemble(debs: Sequence[Path], scratch: Path) -> EnvironmentIdentity:
    """Unpack the packages where nothing but them, the tree and the host's programs can be seen: they may be anybody's."""
    tree, packages, listing = scratch / "tree", scratch / "packages", scratch / "list"
    remove(scratch)
    for folder in (tree, packages):
        folder.mkdir(parents=True)
    names = [f"{number:05}.deb" for number in range(len(debs))]
    for deb, name in zip(debs, names, strict=True):
        place_readable(deb, packages / name)
    listing.write_text("".join(f"{_PACKAGES}/{name}\n" for name in names))
    try:
        _unpack(tree, packages, listing, watch=leaves_room(scratch))
        return _add(tree)
    finally:
        remove(scratch)


def _unpack(tree: Path, packages: Path, listing: Path, *, watch: Callable[[], str | None]) -> None:
    first_id = own_first_id()
    if first_id is not None:
        os.chown(tree, first_id, first_id)
    script = listing.with_name("script")
    shutil.copyfile(ASSEMBLE_SCRIPT, script)  # which may be root's, and closed to others
    for readable in (listing, script):
        readable.chmod(0o644)
    sandbox = Sandbox(
        root=Path("/"),
        tree=("usr",),
        binds={_TREE: tree},
        read_only_binds={
            _PACKAGES: packages,
            _LIST: listing,
            _SCRIPT: script,
            **programs.where_tools_are(),
        },
        environment={"PATH": programs.path(), "LC_ALL": "C.UTF-8"},
        first_id=first_id,
    )
    command = ["sh", "-c", 'exec sh "$0" "$1" <"$2"', _SCRIPT, _TREE, _LIST]
    sandbox.run(command, timeout_seconds=_TIMEOUT_SECONDS, watch=watch)


def _add(tree: Path) -> EnvironmentIdentity:
    """Add the tree to the store. What Nix already has under its name is not believed but hashed, and replaced if damaged."""
    expected = _nar_hash(tree)
    store_path = _nix("store", "add-path", "--name", STORE_NAME, str(tree))
    if _nar_hash(Path(store_path)) != expected:
        try:
            process.run(
                ["nix-store", "--delete", store_path],
                timeout_seconds=_TIMEOUT_SECONDS,
                environment=nix_environment(),
            )
        except ToolFailedError as error:
            raise PinnedEnvironmentError(
                f"the Nix store has a damaged {store_path} and cannot delete it: {error.message}",
                hint=f"Remove what holds it (nix-store --query --roots {store_path}), and run it again.",
            ) from error
        _nix("store", "add-path", "--name", STORE_NAME, str(tree))
    found = _nar_hash(Path(store_path))
    if expected is None or found != expected:
        raise PinnedEnvironmentError(
            f"the Nix store made {store_path} with {found}, expected {expected}",
            hint="Run `teekit-verify doctor`, and check the disk of /nix.",
        )
    return EnvironmentIdentity(store_path=store_path, nar_hash=expected)


def _nar_hash(tree: Path) -> str | None:
    """The SHA-256 of a tree's NAR in SRI form, from its bytes and not from Nix's database; None if there is no tree."""
    return _nix("hash", "path", str(tree)) if tree.is_dir() else None


def _nix(*arguments: str) -> str:
    """What a nix command prints. The few that are used here print the same in every version of nix since 2.4."""
    argv = ["nix", *arguments]
    return process.run(argv, timeout_seconds=_TIMEOUT_SECONDS, environment=nix_environment()).stdout.decode().strip()


def nix_environment() -> dict[str, str]:
    """Nix's settings for a content-addressed add: nothing is built or substituted, so no build users are needed."""
    settings = ["experimental-features = nix-command flakes", "substituters ="]
    if os.geteuid() == 0:
        settings.append("build-users-group =")
    return {**os.environ, "NIX_CONFIG": "\n".join(settings)}
