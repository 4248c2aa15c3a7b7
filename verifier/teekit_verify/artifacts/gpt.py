"""The primary GUID partition table of a raw disk (UEFI 2.10, 5.3), as the firmware reads and measures it."""

from __future__ import annotations

import zlib
from enum import Enum
from typing import TYPE_CHECKING, BinaryIO
from uuid import UUID

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTOR_BYTES = 512
HEADER_BYTES = 92
"""sizeof (EFI_PARTITION_TABLE_HEADER): what is measured, whatever HeaderSize says."""
_REVISION = 0x00010000
_MIN_ENTRY_BYTES = 128
_MAX_TABLE_BYTES = 1 << 20
_WHAT = "GPT"


@frozen
class GptEntry:
    """A used partition entry (UEFI 2.10, table 5.6); the last LBA is inclusive. `raw` is the entry as on disk."""

    raw: bytes
    type_guid: UUID
    unique_guid: UUID
    first_lba: int
    last_lba: int
    attributes: int
    name: str


@frozen
class GuidPartitionTable:
    """The primary header (92 bytes) and its used entries, in table order."""

    header: bytes
    disk_guid: UUID
    alternate_lba: int
    first_usable_lba: int
    last_usable_lba: int
    entries: tuple[GptEntry, ...]


class NoTable(Enum):
    """Of a disk that has no GPT, where None says that there is no disk."""

    NO_GPT = "no GPT"


def read_gpt(disk: BinaryIO, sector_bytes: int = SECTOR_BYTES) -> GuidPartitionTable:
    """Read the primary table of a seekable raw disk with sectors of that size; both CRCs are checked.

    Raises MalformedInputError; firmware would then fall back to the backup table, which a built image must not need.
    """
    disk.seek(sector_bytes)
    sector = disk.read(sector_bytes)
    reader = Reader(memoryview(sector), _WHAT, base=sector_bytes)
    if bytes(reader.take(8, "signature")) != b"EFI PART":
        raise _bad("signature", 0, "expected 'EFI PART'")
    revision, header_bytes, header_crc, _ = reader.unpack("IIII", "header")
    my_lba, alternate_lba, first_usable, last_usable = reader.unpack("QQQQ", "LBAs")
    disk_guid = UUID(bytes_le=bytes(reader.take(16, "disk GUID")))
    entries_lba, count, entry_bytes, entries_crc = reader.unpack("QIII", "partition entry array")
    for holds, field, offset, problem in (
        (revision == _REVISION, "revision", 8, f"{revision:#x} is not {_REVISION:#x}"),
        (
            HEADER_BYTES <= header_bytes <= len(sector),
            "header size",
            12,
            f"{header_bytes} is not 92 to {sector_bytes} bytes",
        ),
        (my_lba == 1, "MyLBA", 24, f"{my_lba} is not 1"),
        (
            entry_bytes >= _MIN_ENTRY_BYTES and entry_bytes % _MIN_ENTRY_BYTES == 0,
            "entry size",
            84,
            f"{entry_bytes} is not a multiple of 128 bytes",
        ),
        (count * entry_bytes <= _MAX_TABLE_BYTES, "entry count", 80, f"{count} entries of {entry_bytes} bytes"),
        (2 <= entries_lba < 1 << 55, "entries LBA", 72, f"{entries_lba} is not on the disk"),  # noqa: PLR2004
    ):
        if not holds:
            raise _bad(field, offset, problem)
    covered = sector[:16] + bytes(4) + sector[20:header_bytes]
    if zlib.crc32(covered) != header_crc:
        raise _bad("header CRC", 16, f"expected {zlib.crc32(covered):#010x}, found {header_crc:#010x}")
    disk.seek(entries_lba * sector_bytes)
    table = disk.read(count * entry_bytes)
    if len(table) != count * entry_bytes:
        raise _bad("entries", 72, f"{count * entry_bytes} bytes at LBA {entries_lba}, only {len(table)} are there")
    if zlib.crc32(table) != entries_crc:
        raise _bad("entries CRC", 88, f"expected {zlib.crc32(table):#010x}, found {entries_crc:#010x}")
    return GuidPartitionTable(
        header=sector[:HEADER_BYTES],
        disk_guid=disk_guid,
        alternate_lba=alternate_lba,
        first_usable_lba=first_usable,
        last_usable_lba=last_usable,
        entries=tuple(_entries(table, entry_bytes, entries_lba * sector_bytes)),
    )


def _entries(table: bytes, entry_bytes: int, base: int) -> Iterator[GptEntry]:
    for start in range(0, len(table), entry_bytes):
        raw = table[start : start + entry_bytes]
        if not any(raw[:16]):
            continue
        reader = Reader(memoryview(raw), _WHAT, base=base + start, position=32)
        first_lba, last_lba, attributes = reader.unpack("QQQ", "partition entry")
        yield GptEntry(
            raw=raw,
            type_guid=UUID(bytes_le=raw[:16]),
            unique_guid=UUID(bytes_le=raw[16:32]),
            first_lba=first_lba,
            last_lba=last_lba,
            attributes=attributes,
            name=raw[56:128].decode("utf-16-le", "replace").split("\0", 1)[0],
        )


def _bad(field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError(_WHAT, field=field, offset=SECTOR_BYTES + offset, problem=problem)
