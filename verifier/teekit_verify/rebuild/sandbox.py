"""The bubblewrap sandbox: the pinned environment as `/`, nothing of the host but its kernel and what is bound by name."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core import process
from teekit_verify.core.errors import TeekitError, ToolFailedError
from teekit_verify.core.output import MOST_STDOUT_BYTES
from teekit_verify.rebuild import groups, limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

PACKAGES = "/packages"  # where builds find the image's packages (mkosi.conf: PackageDirectories=)
BASE_ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}
_TREE = ("usr", "etc", "var")
_USR_LINKS = ("bin", "lib", "lib64", "sbin")
_SCRATCH = ("/home", "/root", "/run")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - places in the sandbox
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")  # bwrap(1), --dev
_HINT = "Run scripts/setup_deps.sh, which installs bubblewrap."
_COMMAND_HINT = "Look at its last lines; with --debug, the command is printed that runs just this step again."
# Root's builds get ids of the range that systemd leaves to containers (systemd.io, "Users, Groups, UIDs and GIDs"), at its end.
FIRST_ID = 0x6FFE0000
ID_COUNT = 0x10000
# What newuidmap(1) reads in place of the host's /etc/subuid, which usually gives root nothing to map.
_SUBORDINATE_IDS = Path(__file__).with_name("subordinate-ids")
_ID_MAPS = (Path("/proc/self/uid_map"), Path("/proc/self/gid_map"))
_STAGE = "/mnt"
# Sockets of the family AF_VSOCK reach the hypervisor of a virtual machine, whatever the network namespace. So this filter
# (seccomp(2); tests/unit/rebuild/test_seccomp.py has it in words) refuses them, and what would make them in another way. It refuses
# TIOCSTI and TIOCLINUX too: they type into the terminal, and what they type would be the caller's shell's to run.
_FILTER = Path(__file__).with_name("seccomp.bpf")
# The same, and nothing that leaves a file which runs with its owner's rights: with a terminal, the sandbox has a folder that stays, of a user
# of the host. A build has none, and packages that it unpacks have such files.
_SHELL_FILTER = Path(__file__).with_name("seccomp-shell.bpf")
_WITH_FILTER = ("sh", "-c", 'exec "$@" 9<"$0"')

_OWN_NETWORK = "none but a loopback device of its own; no sockets to a hypervisor"
_PROXIED = "; a proxy that fetches for its scripts and records it"

_BOUNDED_BY = {
    groups.Kind.SYSTEMD: "memory and processes of the whole, by a scope of systemd",
    groups.Kind.V2: "memory and processes of the whole, by a control group (v2)",
    groups.Kind.V1: "memory and processes of the whole, by control groups (v1)",
    groups.Kind.NONE: "the host's memory and tasks are watched, as no control group can be had",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that a command in a sandbox can see, for a report."""

    place: str
    what: str


@dataclass(frozen=True, slots=True)
class Beside:
    """A command that runs beside us: `wait` for its end; `watch` says what it took too much of, and is to be asked."""

    wait: Callable[[], None]
    watch: Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What a command sees. `root` is the environment's tree; `binds` and `read_only_binds` map places in the sandbox to places on the host.

    `tree` are the folders of `root` that are there. `environment` is the whole environment. `processors` are the CPU numbers the command may use, None for all. `scratch` are
    places for an empty file system in memory. `first_id` is for root: the host's id of the sandbox's root, followed by those
    of its other users; without it the sandbox's root is the host's. `random_addresses` is address space layout randomisation.
    `proxied`: what is bound leads to a proxy of ours, which a report has to say.
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
    scratch: tuple[str, ...] = ()
    first_id: int | None = None
    random_addresses: bool = True
    tree: tuple[str, ...] = _TREE
    proxied: bool = False

    def argv(self, command: list[str]) -> list[str]:
        """The command line; a pure function of the sandbox and the command."""
        if self.first_id is None:
            return [*self._filter(), *_enter(self, command)]
        staged = replace(
            self,
            root=Path(_STAGE, "root"),
            read_only_binds=_staged(self.read_only_binds, "read-only"),
            binds=_staged(self.binds, "writable"),
        )
        return [
            *("bwrap", "--dev-bind", "/", "/", "--tmpfs", _STAGE),
            *_mounts("--ro-bind", ["/etc/subuid", "/etc/subgid"], [_SUBORDINATE_IDS, _SUBORDINATE_IDS]),
            *_mounts("--ro-bind", [staged.root], [self.root]),
            *_mounts("--ro-bind", staged.read_only_binds.values(), self.read_only_binds.values()),
            *_mounts("--bind", staged.binds.values(), self.binds.values()),
            *("--cap-add", "ALL", "--die-with-parent", "--"),
            *self._filter(),
            *_map_ids(self.first_id),
            *_enter(staged, command),
        ]

    @property
    def is_filtered(self) -> bool:
        """Whether system calls are: everywhere but in a sandbox that has the host's network, and no terminal of ours."""
        return self.terminal or not self.network

    def _filter(self) -> tuple[str, ...]:
        return (*_WITH_FILTER, str(_SHELL_FILTER if self.terminal else _FILTER)) if self.is_filtered else ()

    def seen(self, workspace: Path) -> tuple[Seen, ...]:
        """All that a command sees. Folders of the host are named as they lie in `workspace`, where they do."""

        def name(folder: Path) -> str:
            return (
                f"the workspace's {folder.relative_to(workspace)}" if folder.is_relative_to(workspace) else str(folder)
            )

        kernel = os.uname()
        first = self.first_id
        return (
            *(Seen(f"/{part}", f"{self.root / part}, read-only") for part in self.tree),
            *(Seen(place, f"{name(folder)}, read-only") for place, folder in self.read_only_binds.items()),
            *(Seen(place, f"{name(folder)}, writable") for place, folder in self.binds.items()),
            *(Seen(place, "empty at the start, in memory") for place in (*_SCRATCH, *_TEMPORARY, *self.scratch)),
            Seen("/dev", f"{', '.join(_DEVICES)}, and terminals and shared memory of its own"),
            Seen(
                "/proc", "its own processes, and what the kernel says of itself; no setting of the host can be changed"
            ),
            Seen("environment", " ".join(f"{key}={value}" for key, value in sorted(self.environment.items()))),
            Seen("network", "the host's" if self.network else _OWN_NETWORK + (_PROXIED if self.proxied else "")),
            Seen(
                "ids",
                "the user's subordinate ids" if first is None else f"{first} to {first + ID_COUNT - 1} on the host",
            ),
            Seen("bounds", _BOUNDED_BY[groups.available()]),
            Seen("kernel", f"{kernel.sysname} {kernel.release} {kernel.version} {kernel.machine}"),
        )

    def run(
        self,
        command: list[str],
        *,
        timeout_seconds: float,
        log: Path | None = None,
        stdin: bytes | None = None,
        accept: tuple[int, ...] = (0,),
        most_bytes: int = MOST_STDOUT_BYTES,
        watch: Callable[[], str | None] = lambda: None,
    ) -> process.Completed:
        """Run a command to its end, as `process.run` does, with bounds on all that it starts.

        Raises ToolMissingError without bubblewrap, ToolFailedError if the command fails or takes too much.
        """
        with named_by("bwrap"), _bounded() as group:
            return process.run(
                self.command_line(command),
                timeout_seconds=timeout_seconds,
                log=log,
                environment=_host_environment(),
                stdin=stdin,
                accept=accept,
                most_bytes=most_bytes,
                watch=lambda: watch() or group.watch(),
                led_in_by=group.argv,
            )

    @contextmanager
    def running(self, command: list[str], *, timeout_seconds: float, log: Path) -> Iterator[Beside]:
        """Run a command beside a block, which has to watch it (see `process.running`)."""
        with (
            named_by("bwrap"),
            _bounded() as group,
            process.running(
                self.command_line(command),
                timeout_seconds=timeout_seconds,
                log=log,
                environment=_host_environment(),
                led_in_by=group.argv,
            ) as wait,
        ):
            yield Beside(wait, group.watch)

    def command_line(self, command: list[str]) -> list[str]:
        """All that leads into the sandbox, and the command. Raises ToolMissingError without bubblewrap."""
        process.find_program("bwrap", hint=_HINT)
        return [*limits.few_processes(), *become_root(), *self.argv(command)]


@contextmanager
def _bounded() -> Iterator[groups.Entered]:
    """Bounds on all that a command starts: by a control group where one can be had, by watching the host everywhere."""
    host = limits.leaves_the_host_alive()
    with groups.entered(groups.available(), limits.whole()) as group:
        yield groups.Entered(group.argv, lambda: group.watch() or host())


@contextmanager
def named_by(program: str) -> Iterator[None]:
    """What failed is the sandbox, or what runs in it, and not what led into its bounds."""
    try:
        yield
    except ToolFailedError as error:
        raise ToolFailedError(
            program, error.problem, hint=_COMMAND_HINT, stopped=error.stopped, output=error.output
        ) from error


def _enter(sandbox: Sandbox, command: list[str]) -> list[str]:
    return [
        *limits.bounded(),
        "bwrap",
        *_in_memory("/", limits.SMALL_BYTES),  # so that folders can be bound anywhere
        *_mounts("--ro-bind", [f"/{name}" for name in sandbox.tree], [sandbox.root / name for name in sandbox.tree]),
        *(option for name in _USR_LINKS for option in ("--symlink", f"usr/{name}", f"/{name}")),
        *("--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", *_in_memory("/dev/shm", limits.SMALL_BYTES)),  # noqa: S108
        *(option for place in _SCRATCH for option in _in_memory(place, limits.SMALL_BYTES)),
        *(option for place in (*_TEMPORARY, *sandbox.scratch) for option in _in_memory(place, limits.SCRATCH_BYTES)),
        *_mounts("--ro-bind", sandbox.read_only_binds, sandbox.read_only_binds.values()),
        *_mounts("--bind", sandbox.binds, sandbox.binds.values()),
        *("--unshare-uts", "--hostname", sandbox.hostname, "--unshare-ipc", "--unshare-pid", "--unshare-cgroup-try"),
        *(() if sandbox.network else ("--unshare-net",)),
        *(("--seccomp", "9") if sandbox.is_filtered else ()),
        *("--cap-add", "ALL", "--die-with-parent"),
        *(() if sandbox.terminal else ("--new-session",)),
        "--clearenv",
        *(option for pair in sorted(sandbox.environment.items()) for option in ("--setenv", *pair)),
        *("--chdir", sandbox.working_directory, "--"),
        *_wrapper(sandbox),
        *command,
    ]


def _in_memory(place: str, size_bytes: int) -> tuple[str, ...]:
    return "--size", str(size_bytes), "--tmpfs", place


def _wrapper(sandbox: Sandbox) -> list[str]:
    wrapper = ["sh", "-c", f'umask {sandbox.umask:04o}; exec "$@"', "sh"]
    if sandbox.processors is not None:
        wrapper += ["taskset", "--cpu-list", ",".join(map(str, sandbox.processors))]
    if not sandbox.random_addresses:
        wrapper += ["setarch", "--addr-no-randomize"]
    return wrapper


def _staged(binds: Mapping[str, Path], kind: str) -> dict[str, Path]:
    """Where every user can reach the bound folders: those of root may lie behind closed ones."""
    return {place: Path(_STAGE, f"{kind}-{number}") for number, place in enumerate(binds)}


def _mounts(option: str, places: Iterable[str | Path], folders: Iterable[Path]) -> Iterator[str]:
    for place, folder in zip(places, folders, strict=True):
        yield from (option, str(folder), str(place))


def _map_ids(first: int) -> list[str]:
    """A user namespace whose ids from 0 on are the host's from `first` on: what root is in there, the host's root is not."""
    ids = f"{first},0,{ID_COUNT}"  # outside, inside, count: the order that every version of unshare(1) takes
    return ["unshare", "--user", f"--map-users={ids}", f"--map-groups={ids}", "--setuid", "0", "--setgid", "0", "--"]


def own_first_id() -> int | None:
    """The `first_id` for a sandbox that need not be the host's root: None for users who have subordinate ids anyway.

    Raises TeekitError where root has not got the ids of two builds: in a container that was given some of them only.
    """
    if os.geteuid() != 0:
        return None
    last = FIRST_ID + 2 * ID_COUNT - 1
    if not all(_covers(place.read_text(), FIRST_ID, last) for place in _ID_MAPS):
        raise TeekitError(
            f"root does not have the user and group ids {FIRST_ID} to {last} here: this is a container with few ids",
            hint="Rebuild outside of it, or give it the host's ids: podman and docker, as the host's root, --userns=host.",
        )
    return FIRST_ID


def _covers(id_map: str, first: int, last: int) -> bool:
    """`id_map` has lines of first id inside, first id outside, count (user_namespaces(7))."""
    ranges = [[int(word) for word in line.split()] for line in id_map.splitlines()]
    return any(begin <= first and last < begin + count for begin, _, count in ranges)


def become_root() -> tuple[str, ...]:
    """For other users than root: a user namespace with all of their subordinate ids (subuid(5)), as mkosi wants root."""
    return () if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--map-auto")


def looking_only(folder: Path, *, fills: bool = False, network: bool = False) -> tuple[str, ...]:
    """The beginning of a command line, for a program of the host that works on a stranger's `folder` and may need all of its surroundings.

    It sees the host's files and changes none, but in the folder where it `fills` that; it sees no process, socket or, without
    `network`, network of the host. However we end, all that it started ends too: what outlives a run that was killed would
    write into the files of the next one. Raises ToolMissingError.
    """
    process.find_program("bwrap", hint=_HINT)
    rights = ("--cap-drop", "ALL", "--cap-add", "CAP_DAC_OVERRIDE", "--cap-add", "CAP_FOWNER")
    names = "/run/systemd/resolve"  # where /etc/resolv.conf may lead
    return (
        *("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
        *_in_memory("/run", limits.SMALL_BYTES),
        *(("--ro-bind-try", names, names) if network else ("--unshare-net",)),
        *("--bind" if fills else "--ro-bind", str(folder), str(folder)),
        *("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"),
        *(rights if os.geteuid() == 0 else ()),
        "--",
    )


def _host_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath)}
