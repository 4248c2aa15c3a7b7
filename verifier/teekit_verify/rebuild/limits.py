"""How much of the host a command in a sandbox may take. What is ours needs a small part of it; what is more is refused."""

from __future__ import annotations

import os
import resource
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.rebuild import groups
from teekit_verify.rebuild.memory import memory

if TYPE_CHECKING:
    from collections.abc import Callable

_GIB = 1 << 30
# Of one process, memory that it can write to (RLIMIT_DATA): Node reserves far more address space than it uses, so that
# is not limited. The largest of ours, xz and the linker of a kernel, take less than 2 GiB.
PROCESS_DATA_BYTES = 16 * _GIB
# Files that a build works with are sparse, and larger than what it makes of them.
FILE_BYTES = 64 * _GIB
# Of one artifact: a disk of ours is its UKI, of some hundred MiB, rounded up to whole GiB.
ARTIFACT_BYTES = 16 * _GIB
# A kernel's build has some 200 at a time on a large host.
PROCESSES = 8192
# Of all processes of a sandbox together, with what they keep in memory: the linkers and compilers of a kernel on a large host.
WHOLE_BYTES = 64 * _GIB
# Of each file system in memory that is for temporary files, or holds the source: compilers leave some hundred MiB there.
SCRATCH_BYTES = 2 * _GIB
# Of the others, which hold mount points, sockets and what programs keep in a home.
SMALL_BYTES = 256 << 20
# What a build must leave free where it is made: a full disk stops everything else on the host.
LEAST_FREE_BYTES = 1 * _GIB
# The same of memory; a small machine's sixteenth part where that is less. Whatever it is in: also file systems in memory that
# a build mounts for itself, which no bound on processes covers.
LEAST_FREE_MEMORY_BYTES = 1 * _GIB
MEMINFO, LOAD = Path("/proc/meminfo"), Path("/proc/loadavg")


def bounded() -> list[str]:
    """The beginning of a command line that is bounded, and the first to go where the host's memory is full all the same."""
    return [
        *("choom", "-n", "1000", "--", "prlimit", "--core=0"),
        f"--data={_at_most(resource.RLIMIT_DATA, PROCESS_DATA_BYTES)}",
        f"--fsize={_at_most(resource.RLIMIT_FSIZE, FILE_BYTES)}",
        f"--nproc={_at_most(resource.RLIMIT_NPROC, PROCESSES)}",
    ]


def few_processes() -> list[str]:
    """The beginning of a command line that makes a user namespace: its users share this bound, whoever of them root in there becomes.

    The kernel holds those of a namespace that its root made to nothing (kernel/user_namespace.c, create_user_ns).
    """
    return [] if os.geteuid() == 0 else ["prlimit", f"--nproc={_at_most(resource.RLIMIT_NPROC, PROCESSES)}"]


def _at_most(kind: int, wanted: int) -> int:
    """Less, where we are given less."""
    _, hard = resource.getrlimit(kind)
    return wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)


def leaves_room(folder: Path) -> Callable[[], str | None]:
    """Asked while something writes into the folder: what is wrong, once the file system has hardly anything left."""

    def watch() -> str | None:
        free = shutil.disk_usage(folder).free
        return f"left only {free} bytes free where {folder} is" if free < LEAST_FREE_BYTES else None

    return watch


def whole() -> groups.Bounds:
    """Of all that a sandbox starts: of memory what is there now, without what has to stay free."""
    found = memory(MEMINFO)
    return groups.Bounds(
        max(_GIB // 4, min(WHOLE_BYTES, found.available_bytes - _least_memory(found.total_bytes))), PROCESSES
    )


def leaves_the_host_alive() -> Callable[[], str | None]:
    """Asked while something runs: what is wrong, once the host has hardly any memory left, or far more tasks than at the start.

    For hosts where no control group can be had, and for what a group does not see.
    """
    most = _tasks() + 2 * PROCESSES

    def watch() -> str | None:
        found = memory(MEMINFO)
        if found.available_bytes < _least_memory(found.total_bytes):
            return f"left only {found.available_bytes} bytes of the host's memory"
        return f"had the host run more than {most} tasks" if _tasks() > most else None

    return watch


def _least_memory(total_bytes: int) -> int:
    return min(LEAST_FREE_MEMORY_BYTES, total_bytes // 16)


def _tasks() -> int:
    """Of the whole host (proc(5), loadavg: the fourth field is running/all)."""
    return int(LOAD.read_text().split()[3].partition("/")[2])
