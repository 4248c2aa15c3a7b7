"""What is on a disk image: its partition table, the files of its EFI system partition, and the UKI it boots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.artifacts.disk import disk_in, open_boot_file
from teekit_verify.artifacts.vhd import geometry_of
from teekit_verify.core.errors import TeekitError
from teekit_verify.inspection.uki import uki_facts

if TYPE_CHECKING:
    from teekit_verify.artifacts.disk import DiskImage
    from teekit_verify.artifacts.gpt import GptEntry
    from teekit_verify.artifacts.vhd import Geometry, VhdFooter
    from teekit_verify.core.opened import OpenedInput
    from teekit_verify.inspection.uki import UkiFacts

MAX_FILES = 1000


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """The last LBA is inclusive."""

    name: str
    type_guid: str
    unique_guid: str
    first_lba: int
    last_lba: int
    attributes: int


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file or folder (then `size_bytes` is None) of the EFI system partition."""

    path: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class VhdFacts:
    """`specified_geometry` is what the VHD specification computes for the size."""

    unique_id: str
    creator: str
    timestamp: int
    geometry: str
    specified_geometry: str


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """`size_bytes` is that of the disk in the file. `uki` is None where `uki_problem` says why."""

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


def inspect_disk(file: OpenedInput) -> DiskFacts:
    """Raises TeekitError for what is no disk image; a disk without a UKI to boot is one. At most MAX_FILES files."""
    with disk_in(file) as disk:
        uki, problem = _uki(disk)
        return DiskFacts(
            name=disk.name,
            kind=disk.kind.value,
            size_bytes=disk.size_bytes,
            disk_guid=str(disk.gpt.disk_guid),
            first_usable_lba=disk.gpt.first_usable_lba,
            last_usable_lba=disk.gpt.last_usable_lba,
            partitions=tuple(map(_partition, disk.gpt.entries)),
            file_system=f"{disk.volume.kind.name}, clusters of {disk.volume.cluster_bytes} bytes",
            files=tuple(
                FileFacts(name, None if entry.is_directory else entry.size_bytes)
                for name, entry in disk.volume.walk(MAX_FILES)
            ),
            vhd=None if disk.footer is None else _vhd(disk.footer),
            uki=uki,
            uki_problem=problem,
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
