"""TDX firmware for people and as JSON: its sections, and MRTD of a TD started with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.firmware import FirmwareInspection, known_as
from teekit_verify.prediction.mrtd import PageOrder
from teekit_verify.record.schema_names import INSPECTION_SCHEMA
from teekit_verify.report.layout import show_line, show_table, styled

if TYPE_CHECKING:
    from teekit_verify.core.digest import Digest
    from teekit_verify.prediction.firmware import FirmwareMeasurement
    from teekit_verify.prediction.gcp_facts import GcpFacts
    from teekit_verify.report.console import Console

FIRMWARE_SCHEMA = "teekit-verify/firmware/v1"
_ORDERS = {
    PageOrder.SINGLE: "page by page: QEMU 9 and later",
    PageOrder.TWO_PASS: "two passes: QEMU 8 with the KVM of that time",
}


@frozen
class MrtdValue:
    """MRTD for one page order. `recorded_as` is the firmware release of Google's that was seen with this MRTD."""

    order: PageOrder
    used_by: str
    value: Digest
    recorded_as: str | None


@frozen
class FirmwareReport:
    """`known_as` is the release of Google's that this very file is."""

    firmware: FirmwareInspection
    known_as: str | None
    mrtd: tuple[MrtdValue, ...]


def firmware_report(measurement: FirmwareMeasurement, facts: GcpFacts | None) -> FirmwareReport:
    release = None if facts is None else known_as(facts, measurement.firmware)
    values = []
    for order, value in measurement.mrtd.items():
        fact = None if facts is None else facts.by_mrtd(value)
        used_by = _ORDERS[order] + (", Google Cloud" if order is measurement.google else "")
        values.append(MrtdValue(order, used_by, value, None if fact is None else fact.label))
    return FirmwareReport(measurement.firmware, None if release is None else release.label, tuple(values))


def render_mrtd(report: FirmwareReport) -> bytes:
    """What `measure FIRMWARE --json` prints."""
    from teekit_verify.record.json_report import render

    return render({"schema": FIRMWARE_SCHEMA}, report)


def show_mrtd(report: FirmwareReport, out: Console) -> None:
    """MRTD is one of the values: the VMM decides which."""
    show_line(out, styled(report.firmware.name, "bold"), f", TDX firmware, {report.firmware.size_bytes} bytes")
    show_line(out, f"sha384 {report.firmware.sha384.hex}")
    if report.known_as is not None:
        show_line(out, "known as Google Cloud's ", styled(report.known_as))
    out.print()
    rows = [
        (
            styled("MRTD"),
            styled(row.used_by),
            styled(row.value.hex),
            styled(f"recorded: {row.recorded_as}" if row.recorded_as else ""),
        )
        for row in report.mrtd
    ]
    show_table(out, ("register", "pages added and measured", "sha384", "seen on Google Cloud"), rows)
    if len(rows) > 1:
        show_line(out, "One of these: the machine monitor that starts the firmware decides which.")


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
    from teekit_verify.record.json_report import render

    return render({"schema": INSPECTION_SCHEMA}, firmware)
