"""`measure` of firmware alone: MRTD, in either order of its pages."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from teekit_verify.core.outcome import ExitStatus
from teekit_verify.prediction import firmware
from teekit_verify.prediction.gcp_facts import load_gcp
from teekit_verify.prediction.mrtd import PageOrder
from teekit_verify.report import layout
from teekit_verify.report.inspect import firmware as firmware_report

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.cli.options.measure import MrtdOrder


def measure_firmware(file: Path, mrtd_order: MrtdOrder, *, json_output: bool) -> ExitStatus:
    """Raises TeekitError for what is not TDX firmware."""
    orders = firmware.BOTH_ORDERS if mrtd_order == "both" else (PageOrder(mrtd_order),)
    report = firmware_report.firmware_report(firmware.measure_firmware(file, orders), load_gcp())
    if json_output:
        typer.echo(firmware_report.render_mrtd(report).decode(), nl=False)
    else:
        firmware_report.show_mrtd(report, layout.console(sys.stdout))
    return ExitStatus.HOLDS
