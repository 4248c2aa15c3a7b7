"""Partition tables as any disk may have them: GPT in sectors of 512 or 4096 bytes (UEFI 2.10, 5.3), MBR (5.2.1).

Laxer than gpt.py, which reads what a machine boots: this one only has to see all that differs, and checks no CRC.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.artifacts.fields import Field
from teekit_verify.artifacts.magic import SECTOR_SIZES, is_mbr, sector_bytes
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from teekit_verify.artifacts.blob import Blob

_PROTECTIVE, _EXTENDED = 0xEE, {0x05, 0x0F, 0x85}
_MAX_ENTRIES = 1024
_MAX_ENTRY_BYTES = 4096


@frozen
class Partition:
    """`start` and `size_bytes` in bytes; `facts` is what the table says of it, in words."""

    number: int
    start: int
    size_bytes: int
    facts: dict[str, str]


@frozen
class PartitionTable:
    """`head_bytes` and `tail_bytes` are what the table takes at the beginning and the end of the disk."""

    kind: str
    facts: dict[str, str]
    partitions: tuple[Partition, ...]
    head_bytes: int
    tail_bytes: int = 0


def read_partitions(blob: Blob) -> PartitionTable:
    """Raises MalformedInputError, or UnsupportedInputError for a disk without a table."""
    beginning = blob.read(0, 2 * max(SECTOR_SIZES))
    if (sector := sector_bytes(beginning)) is not None:
        return _gpt(blob, sector)
    if is_mbr(beginning):
        return _mbr(beginning, blob.size_bytes)
    raise UnsupportedInputError("disk: it has no partition table")


def _gpt(blob: Blob, sector: int) -> PartitionTable:
    header = blob.read(sector, 92).ljust(92, b"\0")
    alternate, first, last = struct.unpack_from("<QQQ", header, 32)
    table_at, count, row_bytes = struct.unpack_from("<QII", header, 72)
    if count > _MAX_ENTRIES or not 128 <= row_bytes <= _MAX_ENTRY_BYTES:  # noqa: PLR2004
        raise MalformedInputError("GPT", field="entries", offset=sector + 80, problem=f"{count} of {row_bytes} bytes")
    table = blob.read(table_at * sector, count * row_bytes)
    rows = [table[at : at + row_bytes] for at in range(0, len(table), row_bytes)]
    used = [(number, row) for number, row in enumerate(rows, start=1) if any(row[:16])]
    if any(len(row) < 128 for _, row in used):  # noqa: PLR2004
        raise MalformedInputError("GPT", field="entries", offset=table_at * sector, problem="are truncated")
    facts = {
        "disk size": f"{blob.size_bytes} bytes",
        "sector size": f"{sector} bytes",
        Field.DISK_GUID: str(UUID(bytes_le=header[56:72])),
        "usable sectors": f"LBA {first} to {last}",
        "backup of the table": f"LBA {alternate}",
        "size of the table": f"{count} entries of {row_bytes} bytes at LBA {table_at}",
        "number of partitions": str(len(used)),
    }
    partitions = tuple(_gpt_partition(number, row, sector) for number, row in used)
    head = max(2 * sector, table_at * sector + len(table))
    return PartitionTable("GPT", facts, partitions, head, sector + len(table))


def _gpt_partition(number: int, row: bytes, sector: int) -> Partition:
    first, last, attributes = struct.unpack_from("<QQQ", row, 32)
    facts = {
        Field.PARTITION_TYPE: str(UUID(bytes_le=row[:16])),
        Field.PARTITION_GUID: str(UUID(bytes_le=row[16:32])),
        "partition place": f"LBA {first} to {last}",
        "partition attributes": f"{attributes:#x}",
        "partition name": row[56:128].decode("utf-16-le", "replace").split("\0", 1)[0],
    }
    return Partition(number, first * sector, max(0, last - first + 1) * sector, facts)


@frozen
class MbrPartition:
    """A used row of an MBR; `number` counts from 1, `start` and `size_bytes` in bytes, `raw` is the row."""

    number: int
    type: int
    start: int
    size_bytes: int
    raw: bytes


def mbr_partitions(beginning: bytes) -> tuple[MbrPartition, ...]:
    """The four primary ones; logical partitions are a part of the extended one that holds them."""
    rows = ((number, beginning[430 + 16 * number : 446 + 16 * number]) for number in range(1, 5))
    return tuple(
        MbrPartition(number, row[4], 512 * first, 512 * count, row)
        for number, row in rows
        if row[4]
        for first, count in [struct.unpack_from("<II", row, 8)]
    )


def _mbr(beginning: bytes, size_bytes: int) -> PartitionTable:
    rows = mbr_partitions(beginning)
    facts = {
        "disk size": f"{size_bytes} bytes",
        Field.DISK_SIGNATURE: f"{int.from_bytes(beginning[440:444], 'little'):08x}",
        "number of partitions": str(len(rows)),
    }
    partitions = tuple(Partition(row.number, row.start, row.size_bytes, _mbr_facts(row)) for row in rows)
    return PartitionTable("MBR", facts, partitions, 512)


def _mbr_facts(row: MbrPartition) -> dict[str, str]:
    first, raw = row.start // 512, row.raw
    return {
        Field.PARTITION_TYPE: f"{row.type:#04x}" + (" (extended)" if row.type in _EXTENDED else ""),
        "partition place": f"LBA {first} to {first + row.size_bytes // 512 - 1}",
        "partition attributes": f"boot flag {raw[0]:#04x}, CHS {raw[1:4].hex()} to {raw[5:8].hex()}",
    }
