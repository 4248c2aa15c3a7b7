"""A disk image for people and as JSON: its partition table, the files of its EFI system partition, and the UKI it boots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.boot_volume import ESP_TYPE_GUID
from teekit_verify.inspection.disk import MAX_FILES
from teekit_verify.record.json_report import render
from teekit_verify.record.schema_names import INSPECTION_SCHEMA
from teekit_verify.report.inspect.uki import show_uki
from teekit_verify.report.layout import show_line, show_table, styled

if TYPE_CHECKING:
    from teekit_verify.inspection.disk import DiskFacts
    from teekit_verify.report.console import Console

_TYPES = {
    str(ESP_TYPE_GUID): "EFI system partition",
    "0fc63daf-8483-4772-8e79-3d69d8477de4": "Linux file system",
    "4f68bce3-e8cd-4db1-96e7-fbcaf984b709": "Linux root (x86-64)",
    "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5": "Linux root verity (x86-64)",
}
"""UEFI 2.10, table 5.7; UAPI group, "Discoverable Partitions Specification"."""


def render_disk(facts: DiskFacts) -> bytes:
    """What `inspect --json` prints for a disk."""
    return render({"schema": INSPECTION_SCHEMA}, facts)


def show_disk(facts: DiskFacts, out: Console) -> None:
    """Disk, partitions, files, and the UKI as by itself."""
    kind = f"{facts.kind} of a {facts.inner}" if facts.inner else facts.kind
    show_line(out, styled(facts.name, "bold"), f", {kind}, {facts.size_bytes} bytes")
    rows = [("table", f"{facts.table}, sectors of {facts.sector_bytes} bytes")]
    if facts.disk_guid:
        usable = f"{facts.first_usable_lba} to {facts.last_usable_lba}"
        rows += [("disk GUID", facts.disk_guid), ("usable LBAs", usable)]
    if facts.vhd is not None:
        geometry = facts.vhd.geometry
        if geometry != facts.vhd.specified_geometry:
            geometry += f" (the specification computes {facts.vhd.specified_geometry})"
        rows += [("VHD UUID", facts.vhd.unique_id), ("VHD creator", facts.vhd.creator), ("VHD geometry", geometry)]
    for name, value in rows:
        show_line(out, f"{name:<20} ", styled(value))
    out.print()
    if facts.partitions:
        _show_partitions(facts, out)
        out.print()
    _show_files(facts, out)
    out.print()
    if facts.uki is None:
        show_line(out, styled(f"no UKI: {facts.uki_problem}", "yellow"))
    else:
        show_uki(facts.uki, out)


def _show_partitions(facts: DiskFacts, out: Console) -> None:
    rows = [
        (
            styled(row.name or "-"),
            styled(_TYPES.get(row.type_guid, row.type_guid)),
            styled(row.unique_guid or "-"),
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
