"""What is on a disk image: its partition table, the files of its EFI system partition, and the UKI it boots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.disk import open_boot_file
from teekit_verify.artifacts.gpt import SECTOR_BYTES
from teekit_verify.artifacts.vhd import geometry_of
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen
from teekit_verify.inspection.uki import uki_facts

if TYPE_CHECKING:
    from teekit_verify.artifacts.disk import DiskImage
    from teekit_verify.artifacts.gpt import GptEntry
    from teekit_verify.artifacts.partitions import MbrPartition
    from teekit_verify.artifacts.vhd import Geometry, VhdFooter
    from teekit_verify.inspection.uki import UkiFacts

MAX_FILES = 1000


@frozen
class PartitionFacts:
    """The last LBA is inclusive. Of an MBR, the type is its number, and the texts that it does not have are empty."""

    name: str
    type_guid: str
    unique_guid: str
    first_lba: int
    last_lba: int
    attributes: int


@frozen
class FileFacts:
    """A file or folder (then `size_bytes` is None) of the EFI system partition."""

    path: str
    size_bytes: int | None


@frozen
class VhdFacts:
    """`specified_geometry` is what the VHD specification computes for the size."""

    unique_id: str
    creator: str
    timestamp: int
    geometry: str
    specified_geometry: str


@frozen
class DiskFacts:
    """`size_bytes` is that of the disk in the file, and `inner` what a compressed file or archive holds. `uki` is None where
    `uki_problem` says why. What only a GPT has is empty or 0 for other tables.
    """

    name: str
    kind: str
    size_bytes: int
    disk_guid: str
    first_usable_lba: int
    last_usable_lba: int
    partitions: tuple[PartitionFacts, ...]
    file_system: str
    files: tuple[FileFacts, ...]
    vhd: VhdFacts | None
    uki: UkiFacts | None
    uki_problem: str
    table: str
    sector_bytes: int
    inner: str


def inspect_disk(disk: DiskImage) -> DiskFacts:
    """A disk without a UKI to boot is one, too. At most MAX_FILES files. Raises TeekitError for a file system that is damaged."""
    (uki, problem), gpt = _uki(disk), disk.boot.gpt
    return DiskFacts(
        name=disk.name,
        kind=disk.kind.value,
        size_bytes=disk.size_bytes,
        disk_guid="" if gpt is None else str(gpt.disk_guid),
        first_usable_lba=0 if gpt is None else gpt.first_usable_lba,
        last_usable_lba=0 if gpt is None else gpt.last_usable_lba,
        partitions=tuple(map(_mbr_partition, disk.boot.mbr)) if gpt is None else tuple(map(_partition, gpt.entries)),
        file_system=f"{disk.volume.kind.name}, clusters of {disk.volume.cluster_bytes} bytes",
        files=tuple(
            FileFacts(name, None if entry.is_directory else entry.size_bytes)
            for name, entry in disk.volume.walk(MAX_FILES)
        ),
        vhd=None if disk.footer is None else _vhd(disk.footer),
        uki=uki,
        uki_problem=problem,
        table=disk.boot.kind.value,
        sector_bytes=disk.boot.sector_bytes,
        inner="" if disk.inner is None else disk.inner.value,
    )


def _uki(disk: DiskImage) -> tuple[UkiFacts | None, str]:
    try:
        with open_boot_file(disk) as uki:
            return uki_facts("EFI/BOOT/BOOTX64.EFI", uki), ""
    except TeekitError as error:
        return None, error.message


def _partition(entry: GptEntry) -> PartitionFacts:
    return PartitionFacts(
        entry.name,
        str(entry.type_guid),
        str(entry.unique_guid),
        entry.first_lba,
        entry.last_lba,
        entry.attributes,
    )


def _mbr_partition(row: MbrPartition) -> PartitionFacts:
    first = row.start // SECTOR_BYTES
    return PartitionFacts("", f"{row.type:#04x}", "", first, first + row.size_bytes // SECTOR_BYTES - 1, row.raw[0])


def _vhd(footer: VhdFooter) -> VhdFacts:
    return VhdFacts(
        str(footer.unique_id),
        footer.creator,
        footer.timestamp,
        _in_words(footer.geometry),
        _in_words(geometry_of(footer.size_bytes)),
    )


def _in_words(geometry: Geometry) -> str:
    return f"{geometry.cylinders}/{geometry.heads}/{geometry.sectors}"
