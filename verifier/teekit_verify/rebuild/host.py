"""What a rebuild and a boot need of the host, and whether it is there: programs are run, not only looked for."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError, ToolFailedError, ToolMissingError
from teekit_verify.rebuild.apt_root import KEYRING
from teekit_verify.rebuild.environment import nix_environment
from teekit_verify.rebuild.memory import memory
from teekit_verify.rebuild.sandbox import Sandbox, become_root, own_first_id
from teekit_verify.rebuild.subordinate import advice
from teekit_verify.rebuild.workspace import remove

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Folders = Sequence[Path]

FREE_BYTES = 10 << 30
MEMORY_BYTES = 3 << 30  # what a machine sold with 4 GB shows
BUILD_MEMORY_BYTES = 3 << 29
FIRMWARE = Path("/usr/share/OVMF")
MEMINFO = Path("/proc/meminfo")
_PROBE_SECONDS = 60
_SETUP_HINT = "Run scripts/setup_deps.sh."
_ALLOW_NAMESPACES = (
    "Allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, "
    "and on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0), also in a container's settings."
)
_MAKE_ROOM = "End other programs, which leave this one no time or no memory, and run this again."
STORE = Path("/nix/store")


class Purpose(Enum):
    REBUILD = "rebuild"
    BOOT = "boot"
    EXPLAIN = "explain"


@dataclass(frozen=True, slots=True)
class Need:
    """Something of the host. `probe` gets the folders that a rebuild will fill, says what it found, or raises TeekitError:
    ToolMissingError for what setup_deps.sh installs, another one for what it cannot mend.
    """

    name: str
    purpose: Purpose
    probe: Callable[[Folders], str]


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer for one need. `detail` says what was found, or what is wrong; `hint` is empty where setup_deps.sh helps."""

    name: str
    needed_for: Purpose
    present: bool
    detail: str
    installable: bool = False
    hint: str = ""


def examine(folders: Folders) -> list[Finding]:
    """Every need of `NEEDS`, in order. `folders` are those that a rebuild will fill; they need not exist yet."""
    return [_finding(need, folders) for need in NEEDS]


def without_store(findings: list[Finding]) -> list[Finding]:
    """The same where nothing will be added to Nix's store, so that it may be somebody else's."""
    return [
        _finding(_ONLY_NIX, ()) if found.name == _ONLY_NIX.name and not (found.present or found.installable) else found
        for found in findings
    ]


def can_rebuild(findings: list[Finding]) -> bool:
    return all(finding.present for finding in findings if finding.needed_for is Purpose.REBUILD)


def _finding(need: Need, folders: Folders) -> Finding:
    try:
        return Finding(need.name, need.purpose, present=True, detail=need.probe(folders))
    except ToolMissingError as error:
        return Finding(need.name, need.purpose, present=False, detail=error.message, installable=True)
    except TeekitError as error:
        return Finding(need.name, need.purpose, present=False, detail=error.message, hint=error.hint or "")
    except OSError as error:  # of the probe's own files
        detail = f"cannot be tried: {error.strerror}: {error.filename}"
        return Finding(need.name, need.purpose, present=False, detail=detail, hint="Make room, and a writable TMPDIR.")


def require(folders: Folders, *, needs_store: bool) -> None:
    """What is known at once, and would else end a rebuild after its downloads. `needs_store`: something will be added to Nix's.

    Raises TeekitError for the first need that is not met, in the words that `doctor` has for it.
    """
    for need in NEEDS:
        if need.purpose is Purpose.REBUILD and need.probe not in {_disk, *([] if needs_store else [_nix])}:
            try:
                need.probe(folders)
            except OSError as error:
                raise TeekitError(f"{need.name} cannot be tried: {error.strerror}: {error.filename}") from error


def _program(name: str) -> Callable[[Folders], str]:
    return lambda _: process.find_program(name, hint=_SETUP_HINT)


def _nix_version(_: Folders) -> str:
    process.find_program("nix", hint="Run scripts/setup_deps.sh, which installs nix.")
    return process.run(["nix", "--version"], timeout_seconds=_PROBE_SECONDS).stdout.decode().strip()


def _nix(folders: Folders) -> str:
    """Adds a small file to the store, which needs a nix that runs and a store that may be written and is in /nix."""
    version = _nix_version(folders)
    with tempfile.TemporaryDirectory(prefix="teekit-doctor-") as folder:
        Path(folder, "probe").write_text("teekit-verify doctor\n")
        argv = ["nix", "store", "add-path", "--name", "teekit-doctor", folder]
        try:
            added = process.run(argv, timeout_seconds=_PROBE_SECONDS, environment=nix_environment())
        except TeekitError as error:
            raise TeekitError(
                f"{version} cannot add to its store: {error.message}", hint=_unless_stopped(error, _nix_hint())
            ) from error
    store_path = added.stdout.decode().strip()
    if not Path(store_path).is_dir():
        raise TeekitError(f"{version} keeps its store somewhere else: {store_path} is not there", hint=_nix_hint())
    return version


def _unless_stopped(error: TeekitError, hint: str) -> str:
    """A probe that was ended from outside says nothing of what the host allows."""
    return _MAKE_ROOM if isinstance(error, ToolFailedError) and error.stopped else hint


def _nix_hint() -> str:
    """Set-up makes /nix for a user where there is none; it takes nobody's."""
    way = "as the owner of /nix" if STORE.exists() else "scripts/setup_deps.sh to give /nix to this user"
    return f"Run as root, or {way}, or install Debian's nix-setup-systemd."


def _bubblewrap(_: Folders) -> str:
    """Enters the very sandbox of a build, with the host's own root in place of the pinned environment."""
    version = process.run(["bwrap", "--version"], timeout_seconds=_PROBE_SECONDS).stdout.decode().strip()
    sandbox = _sandbox()
    try:
        sandbox.run(["true"], timeout_seconds=_PROBE_SECONDS)
    except TeekitError as error:
        raise TeekitError(
            f"{version} cannot make a sandbox: {error.message}",
            hint=_unless_stopped(error, _ALLOW_NAMESPACES),
        ) from error
    return version


def _overlay(folders: Folders) -> str:
    """Mounts one inside the sandbox, on the disk that builds will use: mkosi needs them."""
    own = _sandbox()
    _writable(folders[:1])
    with tempfile.TemporaryDirectory(prefix=".teekit-doctor-", dir=_existing(folders[0].absolute())) as folder:
        place = Path(folder)
        sandbox = replace(own, binds={"/work": place}, working_directory="/work")
        if sandbox.first_id is not None:
            os.chown(place, sandbox.first_id, sandbox.first_id)
        script = "mkdir a b c d && mount -t overlay -o userxattr,lowerdir=a,upperdir=b,workdir=c overlay d && touch d/e"
        try:
            sandbox.run(["sh", "-c", script], timeout_seconds=_PROBE_SECONDS)
        except ToolMissingError:
            raise
        except TeekitError as error:
            _bubblewrap(folders)  # where there is no sandbox at all, that is the cause
            raise TeekitError(
                f"no overlay can be mounted in a user namespace: {error.message}",
                hint=_unless_stopped(
                    error,
                    "Use Linux 5.11 or later, and a disk that is not itself an overlay (in a container, a volume).",
                ),
            ) from error
        finally:
            remove(place)
            place.mkdir()
    return "can be mounted in a user namespace"


def _sandbox() -> Sandbox:
    return Sandbox(Path("/"), first_id=require_ids())


def _ids(_: Folders) -> str:
    first = require_ids()
    return "subordinate ids of this user" if first is None else f"from {first} on"


def require_ids() -> int | None:
    """The first id of root's builds, see `own_first_id`. Raises TeekitError for a user who has no ids for builds."""
    first = own_first_id()
    if first is None:
        process.find_program("newuidmap", hint=_SETUP_HINT)  # unshare starts it
        try:
            process.run([*become_root(), "true"], timeout_seconds=_PROBE_SECONDS)
        except ToolFailedError as error:
            raise TeekitError(
                f"this user does not have the ids that builds need: {error.message}",
                hint=_unless_stopped(
                    error,
                    f"Give the user subordinate ids: {advice(os.geteuid())}, as root. If there are some: {_ALLOW_NAMESPACES}",
                ),
            ) from error
    return first


def _keyring(_: Folders) -> str:
    if not KEYRING.is_file():
        raise ToolMissingError(f"{KEYRING} is not there", hint=_SETUP_HINT)
    return str(KEYRING)


def _writable(folders: Folders) -> str:
    """Makes a file in each of them, or where they will be: a file system may be read-only for root as well."""
    for folder in folders:
        place = _existing(folder.absolute())
        try:
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            if error.errno == errno.ENOSPC:
                continue  # the need of that name says it
            raise TeekitError(
                f"{place} cannot be written: {error.strerror}",
                hint="Change into a writable folder, and let XDG_CACHE_HOME name one for the downloads.",
            ) from error
    return ", ".join(str(folder) for folder in folders)


def _disk(folders: Folders) -> str:
    return ", ".join(_free_space(folder.absolute()) for folder in folders)


def _free_space(folder: Path) -> str:
    existing = _existing(folder)
    free = shutil.disk_usage(existing).free
    if free < FREE_BYTES:
        raise TeekitError(
            f"{_gibibytes(free)} free in {existing}, expected {_gibibytes(FREE_BYTES)}",
            hint=f"Free some space on the disk of {existing}.",
        )
    return f"{_gibibytes(free)} free in {existing}"


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _memory(_: Folders) -> str:
    found = memory(MEMINFO)
    if found.total_bytes < MEMORY_BYTES:
        where = ", which a control group allows" if found.is_limited else ""
        raise TeekitError(
            f"{_gibibytes(found.total_bytes)} of memory{where}, expected {_gibibytes(MEMORY_BYTES)}",
            hint="Raise the limit to 4 GB or more." if found.is_limited else "Use a machine with 4 GB or more.",
        )
    return f"{_gibibytes(found.total_bytes)}, {os.cpu_count()} processors"


def require_memory(builds: int) -> None:
    """Raises TeekitError unless so many builds at a time find memory: a kernel that lacks it kills one in its middle."""
    needed, available = builds * BUILD_MEMORY_BYTES, memory(MEMINFO).available_bytes
    if available < needed:
        hint = "End other programs" + (", or build without --parallel." if builds > 1 else ", or use a larger machine.")
        raise TeekitError(f"{_gibibytes(available)} of memory are available, expected {_gibibytes(needed)}", hint=hint)


def _firmware(_: Folders) -> str:
    found = sorted(FIRMWARE.glob("OVMF_CODE*.fd"))
    if not found:
        raise ToolMissingError(f"no OVMF_CODE*.fd in {FIRMWARE}", hint=_SETUP_HINT)
    return str(found[0])


def _gibibytes(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB"


_ONLY_NIX = Need("nix", Purpose.REBUILD, _nix_version)
NEEDS: tuple[Need, ...] = (
    Need("nix", Purpose.REBUILD, _nix),
    Need("user ids", Purpose.REBUILD, _ids),
    Need("bubblewrap", Purpose.REBUILD, _bubblewrap),
    Need("overlay", Purpose.REBUILD, _overlay),
    *(Need(name, Purpose.REBUILD, _program(name)) for name in ("apt-get", "apt-cache", "dpkg-deb", "tar", "git")),
    Need("archive keyring", Purpose.REBUILD, _keyring),
    Need("folders", Purpose.REBUILD, _writable),
    Need("disk", Purpose.REBUILD, _disk),
    Need("memory", Purpose.REBUILD, _memory),
    *(Need(name, Purpose.BOOT, _program(name)) for name in ("qemu-system-x86_64", "swtpm", "mcopy", "sfdisk")),
    Need("OVMF", Purpose.BOOT, _firmware),
    Need("diffoscope", Purpose.EXPLAIN, _program("diffoscope")),
)
