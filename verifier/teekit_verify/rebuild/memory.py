"""How much memory this process may have: the machine's, or less where a control group limits it, as containers' do.

Sources: proc(5), cgroups(7); Linux Documentation/admin-guide/cgroup-v2.rst (memory.max, memory.current, memory.stat) and
cgroup-v1/memory.rst (memory.limit_in_bytes, memory.usage_in_bytes).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN_GROUPS = Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
# (folder below GROUPS, limit, use, the part of the use that the kernel drops when it needs room, in memory.stat)
_V2 = ("", "memory.max", "memory.current", "inactive_file")
_V1 = ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes. `is_limited`: a control group allows less than the machine has."""

    total_bytes: int
    available_bytes: int
    is_limited: bool = False


def memory(meminfo: Path) -> Memory:
    """The machine's memory (/proc/meminfo), and the tightest limit of the groups that this process is in."""
    text = meminfo.read_text()
    machine = Memory(_field(text, "MemTotal"), _field(text, "MemAvailable"))
    limits = [limit for limit in _limits() if limit.total_bytes < machine.total_bytes]
    return Memory(
        min([machine.total_bytes, *(limit.total_bytes for limit in limits)]),
        min([machine.available_bytes, *(limit.available_bytes for limit in limits)]),
        bool(limits),
    )


def _field(meminfo: str, name: str) -> int:
    """In bytes; 0 if there is none."""
    fields = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    return int(fields.get(name, "0").split()[0]) * 1024


def _limits() -> Iterator[Memory]:
    for line in _text(OWN_GROUPS).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            version = _V2
        elif "memory" in controllers.split(","):
            version = _V1
        else:
            continue
        group = GROUPS / version[0] / path.lstrip("/")
        # A group's own limit and those of the groups around it. In a container the path may be the host's, and not be there.
        for place in (group, *group.parents):
            if place.is_relative_to(GROUPS) and (limit := _limit(place, *version[1:])) is not None:
                yield limit


def _limit(place: Path, limit: str, use: str, reclaimable: str) -> Memory | None:
    most, used = _text(place / limit).strip(), _text(place / use).strip()
    if not most.isdecimal() or not used.isdecimal():  # "max", or no such file
        return None
    stat = dict(line.split(" ", 1) for line in _text(place / "memory.stat").splitlines() if " " in line)
    dropped = int(stat.get(reclaimable, "0"))
    return Memory(int(most), max(0, int(most) - int(used) + dropped))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
