"""Finds TCG event logs in guest memory.

QEMU keeps the guest's memory in a sparse file, so reading it needs neither a dump nor the guest's help. Several logs are
there: the one the firmware appends to until the end (edk2 SecurityPkg/Tcg/Tcg2Dxe/Tcg2Dxe.c, TcgDxeLogEvent, at 019089cd:
every event goes to it, also those after GetEventLog), the copy the kernel took before ExitBootServices, and leftovers.
"""

from __future__ import annotations

import errno
import mmap
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.errors import MalformedInputError
from teekit_verify.evidence.eventlog import SIGNATURE, SIGNATURE_OFFSET, EventLog, LogKind, parse_event_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAX_LOG_BYTES = 1 << 20
"""Larger than any firmware's log area (edk2 reserves 64 KiB: PcdTcgLogAreaMinLen)."""
_MAX_CANDIDATES = 1000


@dataclass(frozen=True, slots=True)
class FoundLog:
    """A well-formed log, its bytes without padding, and where in the memory file it starts."""

    offset: int
    raw: bytes
    log: EventLog


def find_logs(memory: Path) -> tuple[FoundLog, ...]:
    """All well-formed TPM logs with at least one event in a memory file, the longest first."""
    if memory.stat().st_size == 0:
        return ()
    with memory.open("rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as view:
        found = [log for offset in _candidates(view, stream.fileno()) if (log := _parse_at(view, offset))]
    return tuple(sorted(found, key=lambda candidate: len(candidate.raw), reverse=True))


def _candidates(view: mmap.mmap, descriptor: int) -> Iterator[int]:
    """Offsets where the signature says a log may start. At most 1000: memory is the guest's to fill."""
    count = 0
    for start, end in _data_extents(descriptor, len(view)):
        position = start
        while count < _MAX_CANDIDATES and (hit := view.find(SIGNATURE, position, end)) >= 0:
            if hit >= SIGNATURE_OFFSET:
                yield hit - SIGNATURE_OFFSET
            position = hit + len(SIGNATURE)
            count += 1


def _data_extents(descriptor: int, size_bytes: int) -> Iterator[tuple[int, int]]:
    """The parts of a sparse file that are not holes, as [start, end)."""
    end = 0
    while end < size_bytes:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole behind `end`
                return
            raise
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end


def _parse_at(view: mmap.mmap, offset: int) -> FoundLog | None:
    window = view[offset : offset + _MAX_LOG_BYTES]
    try:
        log = parse_event_log(window, LogKind.TPM, ignore_what_follows=True)
    except MalformedInputError:
        return None
    return FoundLog(offset, window[: log.size_bytes], log) if log.events else None
