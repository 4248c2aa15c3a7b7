"""How much of the host a command in a sandbox may take. What is ours needs a small part of it; what is more is refused."""

from __future__ import annotations

import resource
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
# Of each file system in memory that is for temporary files, or holds the source: compilers leave some hundred MiB there.
SCRATCH_BYTES = 2 * _GIB
# Of the others, which hold mount points, sockets and what programs keep in a home.
SMALL_BYTES = 256 << 20
# What a build must leave free where it is made: a full disk stops everything else on the host.
LEAST_FREE_BYTES = 1 * _GIB


def bounded() -> list[str]:
    """The beginning of a command line that is bounded, and the first to go where the host's memory is full all the same."""
    return [
        *("choom", "-n", "1000", "--", "prlimit", "--core=0"),
        f"--data={_at_most(resource.RLIMIT_DATA, PROCESS_DATA_BYTES)}",
        f"--fsize={_at_most(resource.RLIMIT_FSIZE, FILE_BYTES)}",
        f"--nproc={_at_most(resource.RLIMIT_NPROC, PROCESSES)}",
    ]


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
