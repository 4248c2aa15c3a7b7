"""What lies on a disk outside of partitions and files: looked at when all of those are equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.gpt import SECTOR_BYTES
from teekit_verify.explanation import raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.disk import DiskImage
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair
    from teekit_verify.explanation.tree import Difference

_BOOT_CODE_BYTES = 440
_BACKUP_SECTORS = 33


def compare_outside(examination: Examination, pair: Pair, one: DiskImage, other: DiskImage) -> Iterator[Difference]:
    """By offset in the file: nothing of a .tar.gz, and of disks that differ in shape."""
    places = list(_places(one))
    if not one.in_file or places != list(_places(other)):
        return
    for name, start, stop in places:
        inner = pair.inner(name, *(blob.part(start, stop - start) for blob in (pair.a, pair.b)))
        if first_difference(inner.a, inner.b) is not None:
            yield raw.compare_bytes(inner, examination.conditions)


def _places(disk: DiskImage) -> Iterator[tuple[str, int, int]]:
    """UEFI 2.10 chapter 5: a protective MBR, the table, partitions, and a second table at the end."""
    table = (1 + _BACKUP_SECTORS) * SECTOR_BYTES
    esp_start, esp_stop = disk.boot.start, disk.boot.start + disk.boot.size_bytes
    backup = disk.size_bytes - _BACKUP_SECTORS * SECTOR_BYTES
    yield "boot code", 0, _BOOT_CODE_BYTES
    yield "protective MBR", _BOOT_CODE_BYTES, SECTOR_BYTES
    yield "partition table", SECTOR_BYTES, table
    yield "space before the EFI system partition", table, esp_start
    yield "boot sectors and allocation tables of the EFI system partition", esp_start, disk.volume.data_offset
    yield "directories and free space of the EFI system partition", disk.volume.data_offset, esp_stop
    yield "space after the EFI system partition", esp_stop, backup
    yield "backup of the partition table", backup, disk.size_bytes
    yield "what follows the disk", disk.size_bytes, 1 << 62
