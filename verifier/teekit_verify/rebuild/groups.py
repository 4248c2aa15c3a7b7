"""A control group for all that a sandbox starts: a bound on the whole, which the bounds on each process are not.

Many small processes, memory of `memfd_create` and file systems in memory that a build mounts for itself are charged to the
group, whoever holds them. Sources: cgroups(7), systemd-run(1), systemd.resource-control(5); Linux
Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/{memory,pids}.rst.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

OWN_GROUPS, MOUNTS = Path("/proc/self/cgroup"), Path("/proc/self/mountinfo")
SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)
_PREFIX = "teekit-verify-"
_PROBE_SECONDS = 60
_ENDING_SECONDS = 60
_TRIES = 10
# Arguments: how many groups, their folders, the command. The shell joins them before it becomes the command.
_JOIN = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ >"$1/cgroup.procs" || exit 125; shift; n=$((n - 1)); done; exec "$@"'
)
# Argument: the file that learns which group systemd made, for those who watch it.
_TELL = 'cat /proc/self/cgroup >"$0"; exec "$@"'

# The limit of its own group (v2); there is none where a user's systemd may not limit memory.
_LIMIT = 'cat "/sys/fs/cgroup$(sed -n "s/^0:://p" /proc/self/cgroup)/memory.max"'
_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}  # no more, as in a sandbox's run
_OF_USERS = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")  # where a user's systemd is found


class Kind(Enum):
    """Who bounds the whole of what a sandbox starts. The value is for programs."""

    SYSTEMD = "systemd"
    V2 = "cgroup-v2"
    V1 = "cgroup-v1"
    NONE = "watched"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of all processes together."""

    memory_bytes: int
    processes: int


@dataclass(frozen=True, slots=True)
class Entered:
    """`argv` begins the command line that is to be in the group; `watch` says what was too much, once something was."""

    argv: tuple[str, ...] = ()
    watch: Callable[[], str | None] = lambda: None


@contextmanager
def entered(kind: Kind, bounds: Bounds) -> Iterator[Entered]:
    """A new group, which is ended and removed with the block. Raises TeekitError where it cannot be made."""
    if kind is Kind.NONE:
        yield Entered()
    elif kind is Kind.SYSTEMD:
        with tempfile.TemporaryDirectory(prefix="teekit-group-") as scratch:
            told = Path(scratch, "group")
            argv = (*_scope(bounds), "sh", "-c", _TELL, str(told))
            yield Entered(argv, lambda: _exceeded(_told_folders(told), bounds))
    else:
        with _made(_parents(kind), f"{_PREFIX}{os.getpid()}-{secrets.token_hex(8)}", bounds) as folders:
            argv = ("sh", "-c", _JOIN, "sh", str(len(folders)), *map(str, folders))
            yield Entered(argv, lambda: _exceeded(folders, bounds))


@cache
def available() -> Kind:
    """The first that works here, each tried for real."""
    bounds = Bounds(1 << 30, 64)
    if SYSTEMD.is_dir():
        with suppress(TeekitError):
            found = process.run(
                [*_scope(bounds), "sh", "-c", _LIMIT], timeout_seconds=_PROBE_SECONDS, environment=_ENVIRONMENT
            )
            if found.stdout.split() == [str(bounds.memory_bytes).encode()]:
                return Kind.SYSTEMD
        return Kind.NONE  # systemd's groups are its own
    for kind in (Kind.V2, Kind.V1):
        with suppress(TeekitError, OSError), entered(kind, bounds) as group:
            process.run([*group.argv, "true"], timeout_seconds=_PROBE_SECONDS)
            return kind
    return Kind.NONE


def _scope(bounds: Bounds) -> tuple[str, ...]:
    properties = (
        f"MemoryMax={bounds.memory_bytes}",
        "MemorySwapMax=0",
        f"TasksMax={bounds.processes}",
    )
    is_root = os.geteuid() == 0
    where = [f"{name}={os.environ[name]}" for name in _OF_USERS if name in os.environ]
    return (
        *(() if is_root else ("env", *where)),
        *("systemd-run", "--scope", "--quiet", "--collect", *(() if is_root else ("--user",))),
        *(f"--property={setting}" for setting in properties),
        "--",
    )


def _told_folders(told: Path) -> tuple[Path, ...]:
    """Empty until the group is there."""
    try:
        own = told.read_text()
    except OSError:
        return ()
    return tuple(parent for kind in (Kind.V2, Kind.V1) for parent in _own(kind, own).values())


def _own(kind: Kind, own: str) -> dict[str, Path]:
    """Controller -> folder of the group that /proc/PID/cgroup (`own`) names; those of v2 are under the empty name."""
    found = {}
    for line in own.splitlines():
        _, names, path = line.split(":", 2)
        for controller in names.split(","):
            wanted = controller in {"memory", "pids"} if kind is Kind.V1 else controller == ""
            if wanted and (folder := _folder(controller, path)) is not None:
                found[controller] = folder
    return found


def _folder(controller: str, path: str) -> Path | None:
    """Where the group of a hierarchy lies in the file system (proc(5), mountinfo)."""
    for line in MOUNTS.read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, place = before.split()[3:5]
        kind, _, options = after.split()[:3]
        if kind == ("cgroup" if controller else "cgroup2") and (not controller or controller in options.split(",")):
            below = path if root == "/" else path.removeprefix(root)
            return Path(place) / below.lstrip("/")
    return None


def _parents(kind: Kind) -> tuple[Path, ...]:
    """Below which folders groups can be made. Raises TeekitError where there are none."""
    own = _own(kind, _text(OWN_GROUPS))
    if kind is Kind.V1:
        folders = tuple(own[name] for name in ("memory", "pids") if name in own)
        if len(folders) == 2:  # noqa: PLR2004 - both
            return folders
    elif (group := own.get("")) is not None:
        # A group with processes cannot share its memory out (cgroup-v2.rst, "No Internal Process Constraint"): its parent may.
        for parent in (group, group.parent):
            if {"memory", "pids"} <= set(_text(parent / "cgroup.subtree_control").split()):
                return (parent,)
    raise TeekitError("there is no control group for memory and processes", hint="The host is watched instead.")


@contextmanager
def _made(parents: tuple[Path, ...], name: str, bounds: Bounds) -> Iterator[tuple[Path, ...]]:
    folders = tuple(dict.fromkeys(parent / name for parent in parents))
    with ExitStack() as claims:
        try:
            for parent in parents:
                _remove_left(parent)
            for folder in folders:
                claims.enter_context(_claimed(folder))
                _limit(folder, bounds)
        except OSError as error:
            raise TeekitError(f"{error.filename}: {error.strerror}", hint="The host is watched instead.") from error
        yield folders


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """A new group, which is ours for as long as we hold its lock, and is ended with the block.

    Not by a process ID in its name: programs in other containers make groups here too, and have IDs of their own.
    """
    descriptor = _new_and_locked(folder)
    try:
        yield
    finally:
        os.close(descriptor)
        _end(folder)


def _new_and_locked(folder: Path) -> int:
    """Its descriptor, with the lock."""
    for _ in range(_TRIES):
        folder.mkdir(exist_ok=True)
        # Before it is locked, another run may take it for one that was left, and remove it.
        with suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_still(descriptor, folder):
                return descriptor
            os.close(descriptor)
    raise OSError(0, "is removed again and again", str(folder))


def _is_still(descriptor: int, folder: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), folder.stat())
    except FileNotFoundError:
        return False


def _limit(folder: Path, bounds: Bounds) -> None:
    settings: Mapping[str, int] = {
        "memory.max": bounds.memory_bytes,
        "memory.swap.max": 0,
        "memory.limit_in_bytes": bounds.memory_bytes,
        "memory.memsw.limit_in_bytes": bounds.memory_bytes,
        "pids.max": bounds.processes,
    }
    done = 0
    for name, value in settings.items():
        if (folder / name).exists():  # of another version, or swap is not counted here
            (folder / name).write_text(str(value))
            done += 1
    if not done:
        raise OSError(0, "limits nothing", str(folder))


def _exceeded(folders: tuple[Path, ...], bounds: Bounds) -> str | None:
    for folder in folders:
        if any(_count(folder / name, "oom_kill") for name in ("memory.events", "memory.oom_control")):
            return f"used more than {bounds.memory_bytes} bytes of memory together"
        if _count(folder / "pids.events", "max"):
            return f"had more than {bounds.processes} processes together"
    return None


def _count(file: Path, name: str) -> int:
    """The value of a line "name value"."""
    lines = [line.split() for line in _text(file).splitlines()]
    return next((int(words[1]) for words in lines if words[:1] == [name] and words[1].isdecimal()), 0)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _end(folder: Path) -> None:
    """End what is left in the group, and remove it: a group with processes cannot be removed."""
    deadline = time.monotonic() + _ENDING_SECONDS
    while folder.is_dir() and time.monotonic() < deadline:
        for line in _text(folder / "cgroup.procs").split():
            with suppress(ProcessLookupError, ValueError):
                os.kill(int(line), signal.SIGKILL)
        try:
            folder.rmdir()
        except OSError:
            time.sleep(0.01)


def _remove_left(parent: Path) -> None:
    """Groups of runs that were killed: what was in them has ended with its sandbox, and their locks with them."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                folder.rmdir()
            finally:
                os.close(descriptor)
