"""The TD HOB: the list of memory that a VMM hands to TDX firmware, which measures it first of all.

The records are those of the UEFI Platform Initialization Specification 1.8, volume 3, 5.2 (hand-off information table)
and 5.5 (resource descriptor). How a VMM fills them is not specified; each has a function of its own here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.errors import UnsupportedInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

GIB = 1 << 30
_MIB = 1 << 20
_HANDOFF_BYTES = 56
_DESCRIPTOR_BYTES = 48
_SYSTEM_MEMORY, _UNACCEPTED_MEMORY = 0, 7
_BASE_ATTRIBUTES = 0x7
"""Present, initialized, tested."""
_NEEDS_EARLY_ACCEPT = 0x10000000
_MAX_NODES = 64
_MAX_MEMORY_BYTES = 1 << 46


@dataclass(frozen=True, slots=True, order=True)
class MemoryRange:
    """Guest physical memory: `start <= address < start + size_bytes`."""

    start: int
    size_bytes: int

    @property
    def stop(self) -> int:
        """The first address behind it."""
        return self.start + self.size_bytes


def gcp_ram_banks(memory_bytes: int, numa_nodes: int) -> tuple[MemoryRange, ...]:
    """The RAM of a Google Cloud machine: 3 GiB below the device hole, 2 MiB of firmware below 4 GiB, then one bank for
    each NUMA node; the first node already has the lower 3 GiB.

    gce-tcb-verifier tdx/mrtd_from_ovmf.go, regionsForShape(), at 74582c07. Raises UnsupportedInputError for a machine
    that cannot be.
    """
    if not 1 <= numa_nodes <= _MAX_NODES or not 4 * GIB <= memory_bytes <= _MAX_MEMORY_BYTES:
        raise UnsupportedInputError(
            f"a machine of {memory_bytes} bytes of memory on {numa_nodes} NUMA nodes is not one of Google Cloud"
        )
    node_bytes, start, low = memory_bytes // numa_nodes, 4 * GIB, 3 * GIB
    banks = [MemoryRange(0, low), MemoryRange(4 * GIB - 2 * _MIB, 2 * _MIB)]
    for node in range(numa_nodes):
        size = node_bytes - (low if node == 0 else 0)
        banks.append(MemoryRange(start, size))
        start += size
    return tuple(banks)


def gcp_td_hob(hob_address: int, sections: Sequence[MemoryRange], banks: Iterable[MemoryRange]) -> bytes:
    """The measured part of Google Cloud's TD HOB: all of it but the end-of-list record.

    gce-tcb-verifier ovmf/tdx_data.go, getTDHOBList(), at 74582c07: the firmware's sections in the order of its metadata
    as system memory, then what is left of the banks as unaccepted memory, to be accepted early.
    """
    early = _BASE_ATTRIBUTES | _NEEDS_EARLY_ACCEPT
    records = [_resource(_SYSTEM_MEMORY, _BASE_ATTRIBUTES, section) for section in sections]
    records += [_resource(_UNACCEPTED_MEMORY, early, gap) for gap in _without(banks, sections)]
    return _handoff(hob_address + _HANDOFF_BYTES + _DESCRIPTOR_BYTES * len(records)) + b"".join(records)


def qemu_td_hob(hob_address: int, sections: Iterable[MemoryRange], memory_bytes: int) -> bytes:
    """The measured part of the TD HOB that QEMU makes for a q35 machine of one node: all but the end-of-list record.

    QEMU hw/i386/tdvf-hob.c, tdvf_hob_create(), and hw/i386/pc_q35.c ("lowmem"). `sections` are those of type TD_HOB and
    TEMP_MEM. The end-of-list record counts as part of the list.
    """
    low_bytes = 2 * GIB if memory_bytes >= 0xB0000000 else memory_bytes  # noqa: PLR2004 - 2.75 GiB, where the hole starts
    accepted = sorted(sections)
    records = [(section, _SYSTEM_MEMORY) for section in accepted]
    banks = [MemoryRange(0, low_bytes), MemoryRange(4 * GIB, memory_bytes - low_bytes)]
    records += [(gap, _UNACCEPTED_MEMORY) for gap in _without(banks, accepted)]
    packed = b"".join(_resource(kind, _BASE_ATTRIBUTES, memory) for memory, kind in sorted(records))
    return _handoff(hob_address + _HANDOFF_BYTES + len(packed) + 8) + packed


def _handoff(end_of_list: int) -> bytes:
    """EFI_HOB_HANDOFF_INFO_TABLE: version 9, BOOT_WITH_FULL_CONFIGURATION, no memory limits."""
    return struct.pack("<HHIIIQQQQQ", 1, _HANDOFF_BYTES, 0, 9, 0, 0, 0, 0, 0, end_of_list)


def _resource(kind: int, attributes: int, memory: MemoryRange) -> bytes:
    """EFI_HOB_RESOURCE_DESCRIPTOR, without owner."""
    return struct.pack("<HHI16xIIQQ", 3, _DESCRIPTOR_BYTES, 0, kind, attributes, memory.start, memory.size_bytes)


def _without(banks: Iterable[MemoryRange], taken: Iterable[MemoryRange]) -> Iterator[MemoryRange]:
    """What is left of the banks, ascending."""
    holes = sorted(taken)
    for bank in sorted(banks):
        start = bank.start
        for hole in holes:
            if hole.stop <= start or hole.start >= bank.stop:
                continue
            if hole.start > start:
                yield MemoryRange(start, hole.start - start)
            start = hole.stop
        if start < bank.stop:
            yield MemoryRange(start, bank.stop - start)
