"""`teekit-verify measure`: predict what a guest's measurement registers will hold after booting an artifact."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import typer

from teekit_verify.cli.options.groups import grouped
from teekit_verify.cli.options.measure import (
    DirectBootOptions,
    FileArgument,
    GivenOptions,
    GoogleOptions,
    ImageOptions,
    MrtdOrderOption,
    OutputOptions,
    QemuOptions,
    StubOptions,
    measure_request,
)
from teekit_verify.cli.options.shared import DebugOption, say_warning
from teekit_verify.cli.wrong_file import ARTIFACTS, Given, expecting
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from teekit_verify.api import Measured, MeasuredFirmware


@grouped
def measure(
    image: ImageOptions,
    stub: StubOptions,
    google: GoogleOptions,
    qemu: QemuOptions,
    direct: DirectBootOptions,
    given: GivenOptions,
    output: OutputOptions,
    file: FileArgument = None,
    mrtd_order: MrtdOrderOption = "both",
    debug: DebugOption = False,
) -> ExitStatus:
    """Predict the measurement registers of a guest that boots FILE.

    Each comes with the event log that leads to it. Of firmware: MRTD. With --direct-kernel: of a guest that QEMU starts
    without a disk. What FILE does not decide (the GPT, for a UKI without its disk; the firmware) is reported as unknown,
    with the reason.

    Exit status: 0 it was measured, 2 it could not be. Nothing is compared.
    """
    from teekit_verify import api

    request = measure_request(file, image, stub, google, qemu, direct, given, output, mrtd_order)
    with nullcontext() if file is None else expecting(file, *ARTIFACTS, Given.FIRMWARE):
        found = api.measure(request)
    if isinstance(found, api.MeasuredFirmware):
        _show_firmware(found, output)
    else:
        _show(found, output, "" if file is None else file.name)
    return ExitStatus.HOLDS


def _show(found: Measured, output: OutputOptions, name: str) -> None:
    from teekit_verify.core.files import write_named
    from teekit_verify.report import layout, measure_report

    if output.output is not None:
        write_named(output.output, measure_report.render(found.measurements))
    if found.formatted is not None:
        typer.echo(found.formatted.decode(), nl=False)
    elif output.json_output:
        typer.echo(measure_report.render(found.measurements).decode(), nl=False)
    else:
        measure_report.show(found.measurements, found.profile, layout.console(sys.stdout), events=output.events)
        if found.host_may_change_cmdline:
            say_warning(f"the host can change its command line without any register showing it: see `inspect {name}`")


def _show_firmware(found: MeasuredFirmware, output: OutputOptions) -> None:
    from teekit_verify.report import layout
    from teekit_verify.report.inspect import firmware

    if output.output is not None:
        raise TeekitError("--output is for the measurements of an image", hint="Leave it out: firmware has MRTD alone.")
    report = firmware.firmware_report(found.measurement, found.facts)
    if output.json_output:
        typer.echo(firmware.render_mrtd(report).decode(), nl=False)
    else:
        firmware.show_mrtd(report, layout.console(sys.stdout))
