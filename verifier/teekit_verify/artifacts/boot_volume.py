"""The volume that firmware boots a disk from: of a GPT or an MBR, or the whole disk, as edk2 finds it.

Source: edk2 MdeModulePkg/Universal/Disk/PartitionDxe (Partition.c: GPT, then UDF and El Torito, then MBR; Gpt.c; Mbr.c). Where a disk
could be read in more than one way it is refused.
"""

from __future__ import annotations

from enum import Enum
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, BinaryIO
from uuid import UUID

from teekit_verify.artifacts.fat import FatVolume, open_fat
from teekit_verify.artifacts.gpt import SECTOR_BYTES, GptEntry, GuidPartitionTable, NoTable, read_gpt
from teekit_verify.artifacts.magic import is_mbr, sector_bytes
from teekit_verify.artifacts.partitions import MbrPartition, mbr_partitions
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from pathlib import Path

ESP_TYPE_GUID = UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")  # UEFI 2.10, table 5.7
_PROTECTIVE = 0xEE
_EFI_SYSTEM = 0xEF  # UEFI 2.10, 5.2.2
_FAT_TYPES = {0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E}
_EXTENDED = {0x05, 0x0F, 0x85}
_ISO_AT, _ISO_MAGIC = 0x8001, b"CD001"


class TableKind(Enum):
    """How a disk is divided. The value is for people."""

    GPT = "GPT"
    MBR = "MBR"
    NONE = "no partition table"


@frozen
class BootVolume:
    """`start` and `size_bytes` of the volume's place on the disk; `gpt` and `esp` where there is a GPT, `mbr` where there is none but that."""

    kind: TableKind
    sector_bytes: int
    volume: FatVolume
    start: int
    size_bytes: int
    gpt: GuidPartitionTable | None = None
    esp: GptEntry | None = None
    mbr: tuple[MbrPartition, ...] = ()

    @property
    def measured_table(self) -> GuidPartitionTable | NoTable:
        """Firmware measures a GPT alone: edk2 DxeTpm2MeasureBootLib.c, Tcg2MeasureGptTable() is called for a partition of one."""
        return NoTable.NO_GPT if self.gpt is None else self.gpt


def open_boot_volume(stream: BinaryIO, size_bytes: int, path: Path, *, device_sector: int | None = None) -> BootVolume:
    """`device_sector`: of the device, where the image says it. Raises MalformedInputError with offset and field, or UnsupportedInputError."""
    stream.seek(0)
    beginning = stream.read(2 * 4096)
    sector = sector_bytes(beginning)
    if device_sector not in {None, sector or SECTOR_BYTES}:
        raise UnsupportedInputError(f"{path}: a device in sectors of {device_sector} bytes, and a disk for others")
    if size_bytes % (sector or SECTOR_BYTES):
        raise UnsupportedInputError(
            f"{path}: a disk of {size_bytes} bytes, expected whole sectors of {sector or SECTOR_BYTES}"
        )
    if sector is not None:
        return _of_gpt(stream, size_bytes, beginning, sector)
    stream.seek(_ISO_AT)
    if stream.read(len(_ISO_MAGIC)) == _ISO_MAGIC:
        raise UnsupportedInputError(
            f"{path}: an ISO 9660 image, which firmware boots differently: that is not supported"
        )
    if is_mbr(beginning):
        return _of_mbr(stream, size_bytes, beginning)
    volume = open_fat(stream, 0, size_bytes)
    _require_no_table(beginning, size_bytes, path)
    return BootVolume(TableKind.NONE, SECTOR_BYTES, volume, 0, size_bytes)


def _of_gpt(stream: BinaryIO, size_bytes: int, beginning: bytes, sector: int) -> BootVolume:
    _require_protective_mbr(beginning)
    gpt = read_gpt(stream, sector)
    esp = _esp(gpt, size_bytes // sector)
    start, esp_bytes = esp.first_lba * sector, (esp.last_lba - esp.first_lba + 1) * sector
    return BootVolume(TableKind.GPT, sector, open_fat(stream, start, esp_bytes), start, esp_bytes, gpt, esp)


def has_protective_row(sector: bytes) -> bool:
    """Whether firmware looks for a GPT, and if the first one is damaged for the one at the end."""
    return any(row[4:5] == bytes([_PROTECTIVE]) and row[8:12] == b"\1\0\0\0" for row in _rows(sector))


def _rows(sector: bytes) -> list[bytes]:
    return [sector[at : at + 16] for at in range(446, 510, 16)]


def _require_no_table(sector: bytes, size_bytes: int, path: Path) -> None:
    """Mbr.c, PartitionValidMbr(): rows in the boot sector of a file system count, whatever else is there, if they fit on the disk."""
    numbers = [
        (row[4], int.from_bytes(row[8:12], "little"), int.from_bytes(row[12:], "little")) for row in _rows(sector)
    ]
    places = [(start, (start + count - 1) & 0xFFFFFFFF) for kind, start, count in numbers if kind and count]
    fits = all(last < size_bytes // SECTOR_BYTES for _, last in places) and not any(
        one[0] <= other[1] and other[0] <= one[1] for one, other in combinations(places, 2)
    )
    if has_protective_row(sector) or (places and fits):
        raise UnsupportedInputError(f"{path}: a file system and a partition table in the same sector")


def _require_protective_mbr(beginning: bytes) -> None:
    """Gpt.c: one of the four MBR partitions is of type 0xEE and starts at LBA 1; otherwise the firmware does not look at the GPT."""
    if not has_protective_row(beginning):
        raise MalformedInputError(
            "disk", field="protective MBR", offset=446, problem="no partition of type 0xee that starts at sector 1"
        )


def _esp(gpt: GuidPartitionTable, sectors: int) -> GptEntry:
    """The only EFI system partition. The firmware leaves out partitions that overlap or lie outside (PartitionCheckGptEntry)."""
    for entry in gpt.entries:
        if not gpt.first_usable_lba <= entry.first_lba <= entry.last_lba <= min(gpt.last_usable_lba, sectors - 1):
            raise _bad_partition(
                entry, f"LBA {entry.first_lba} to {entry.last_lba} are not in the usable part of the disk"
            )
    for before, after in pairwise(sorted(gpt.entries, key=lambda entry: entry.first_lba)):
        if after.first_lba <= before.last_lba:
            raise _bad_partition(after, f"overlaps the partition before it, which ends at LBA {before.last_lba}")
    found = [entry for entry in gpt.entries if entry.type_guid == ESP_TYPE_GUID]
    if len(found) != 1:
        raise UnsupportedInputError(
            f"the disk has {len(found)} EFI system partitions, expected one", hint="Give a disk that boots from one."
        )
    return found[0]


def _bad_partition(entry: GptEntry, problem: str) -> UnsupportedInputError:
    return UnsupportedInputError(f"GPT: partition {entry.unique_guid} ({printable(entry.name)}): {problem}")


def _of_mbr(stream: BinaryIO, size_bytes: int, beginning: bytes) -> BootVolume:
    """The only EFI system partition; where there is none the only one of FAT, from which firmware boots as well.

    Mbr.c, PartitionValidMbr(): a table with a partition that lies outside or overlaps another one counts as a whole for nothing.
    """
    rows = mbr_partitions(beginning)
    for row in rows:
        if row.start + row.size_bytes > size_bytes:
            raise UnsupportedInputError(f"MBR: partition {row.number} ends after the disk")
    for before, after in pairwise(sorted(rows, key=lambda row: row.start)):
        if after.start < before.start + before.size_bytes:
            raise UnsupportedInputError(f"MBR: partition {after.number} overlaps partition {before.number}")
    if any(row.type in {_PROTECTIVE, *_EXTENDED} for row in rows):
        raise UnsupportedInputError(
            "MBR: an extended partition, which is not supported", hint="Give a disk with a GPT."
        )
    found = [row for row in rows if row.type == _EFI_SYSTEM] or [row for row in rows if row.type in _FAT_TYPES]
    if len(found) != 1:
        raise UnsupportedInputError(
            f"the disk has {len(found)} partitions to boot from in its MBR, expected one",
            hint="Give a disk that boots from one.",
        )
    volume = open_fat(stream, found[0].start, found[0].size_bytes)
    return BootVolume(TableKind.MBR, SECTOR_BYTES, volume, found[0].start, found[0].size_bytes, mbr=rows)
