"""`measure` of firmware alone: MRTD, in either order of its pages."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.measurement.mrtd import PageOrder
from teekit_verify.reference import measure_firmware as firmware
from teekit_verify.reference.platform_facts import load_gcp
from teekit_verify.report import firmware_report, layout

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.cli.measure_options import MrtdOrder


def measure_firmware(file: Path, mrtd_order: MrtdOrder, *, json_output: bool) -> ExitStatus:
    """Raises TeekitError for what is not TDX firmware."""
    orders = firmware.BOTH_ORDERS if mrtd_order == "both" else (PageOrder(mrtd_order),)
    report = firmware_report.firmware_report(firmware.measure_firmware(file, orders), load_gcp())
    if json_output:
        typer.echo(firmware_report.render_mrtd(report).decode(), nl=False)
    else:
        firmware_report.show_mrtd(report, layout.console(sys.stdout))
    return ExitStatus.HOLDS
