"""TDX firmware for people and as JSON: its sections, and MRTD of a TD started with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.report.document import INSPECTION_SCHEMA
from teekit_verify.report.json_report import render
from teekit_verify.report.layout import show_line, show_table, styled

if TYPE_CHECKING:
    from rich.console import Console

    from teekit_verify.reference.measure_firmware import FirmwareInspection


def show_firmware(firmware: FirmwareInspection, out: Console) -> None:
    """Size, digests, and the sections of the metadata in their order, which is the order of measuring."""
    show_line(out, styled(firmware.name, "bold"), f", TDX firmware, {firmware.size_bytes} bytes")
    show_line(out, f"sha256 {firmware.sha256.hex}")
    show_line(out, f"sha384 {firmware.sha384.hex}")
    out.print()
    rows = [
        (
            styled(part.section.type.name),
            styled(f"{part.section.memory_address:#x}"),
            styled(f"{part.section.memory_size:#x}"),
            styled(f"{part.section.raw_size:#x}"),
            styled(_measured(extends=part.section.extends_mr, later=part.section.page_aug)),
            styled(part.sha384.hex if part.sha384 else "-"),
        )
        for part in firmware.sections
    ]
    show_table(out, ("section", "guest address", "bytes", "in the file", "measured into MRTD", "sha384"), rows)


def _measured(*, extends: bool, later: bool) -> str:
    if later:
        return "no"
    return "address and content" if extends else "address"


def render_firmware(firmware: FirmwareInspection) -> bytes:
    """What `inspect --json` prints for firmware. Section types are the numbers of the TDVF design guide."""
    return render({"schema": INSPECTION_SCHEMA}, firmware)
