"""What is on a disk image: its partition table, the files of its EFI system partition, and the UKI it boots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.artifacts.disk import ESP_TYPE_GUID, open_boot_file, open_disk
from teekit_verify.artifacts.vhd import geometry_of
from teekit_verify.core.errors import TeekitError
from teekit_verify.inspection.uki import uki_facts
from teekit_verify.record.json_report import render
from teekit_verify.record.schema_names import INSPECTION_SCHEMA
from teekit_verify.report import terminal
from teekit_verify.report.layout import show_line, show_table, styled

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.artifacts.disk import DiskImage
    from teekit_verify.artifacts.gpt import GptEntry
    from teekit_verify.artifacts.vhd import Geometry, VhdFooter
    from teekit_verify.inspection.uki import UkiFacts
    from teekit_verify.report.console import Console

MAX_FILES = 1000
_TYPES = {
    str(ESP_TYPE_GUID): "EFI system partition",
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux file system",
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root (x86-64)",
    "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5": "Linux root verity (x86-64)",
}
"""UEFI 2.10, table 5.7; UAPI group, "Discoverable Partitions Specification"."""


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


def inspect_disk(path: Path) -> DiskFacts:
    """Raises TeekitError for what is no disk image; a disk without a UKI to boot is one. At most MAX_FILES files."""
    with open_disk(path) as disk:
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


def render_disk(facts: DiskFacts) -> bytes:
    """What `inspect --json` prints for a disk."""
    return render({"schema": INSPECTION_SCHEMA}, facts)


def show_disk(facts: DiskFacts, out: Console) -> None:
    """Disk, partitions, files, and the UKI as by itself."""
    show_line(out, styled(facts.name, "bold"), f", {facts.kind}, {facts.size_bytes} bytes")
    rows = [("disk GUID", facts.disk_guid), ("usable LBAs", f"{facts.first_usable_lba} to {facts.last_usable_lba}")]
    if facts.vhd is not None:
        geometry = facts.vhd.geometry
        if geometry != facts.vhd.specified_geometry:
            geometry += f" (the specification computes {facts.vhd.specified_geometry})"
        rows += [("VHD UUID", facts.vhd.unique_id), ("VHD creator", facts.vhd.creator), ("VHD geometry", geometry)]
    for name, value in rows:
        show_line(out, f"{name:<20} ", styled(value))
    out.print()
    _show_partitions(facts, out)
    out.print()
    _show_files(facts, out)
    out.print()
    if facts.uki is None:
        show_line(out, styled(f"no UKI: {facts.uki_problem}", "yellow"))
    else:
        terminal.show_inspection(facts.uki, out)


def _show_partitions(facts: DiskFacts, out: Console) -> None:
    rows = [
        (
            styled(row.name or "-"),
            styled(_TYPES.get(row.type_guid, row.type_guid)),
            styled(row.unique_guid),
            styled(f"{row.first_lba} to {row.last_lba}"),
            styled(f"{row.attributes:#x}"),
        )
        for row in facts.partitions
    ]
    show_table(out, ("partition", "type", "GUID", "LBAs", "attributes"), rows)


def _show_files(facts: DiskFacts, out: Console) -> None:
    rows = [(styled(row.path), styled("folder" if row.size_bytes is None else row.size_bytes)) for row in facts.files]
    show_table(out, (f"ESP ({facts.file_system})", "bytes"), rows)
    if len(facts.files) == MAX_FILES:
        show_line(out, f"and perhaps more: at most {MAX_FILES} are listed")
