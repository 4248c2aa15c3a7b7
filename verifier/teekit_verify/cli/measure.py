"""`teekit-verify measure`: predict what a guest's measurement registers will hold after booting an artifact."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import DebugOption, EventsOption, JsonOption
from teekit_verify.core.outcome import ExitStatus


def measure(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A unified kernel image (UKI), or a disk with one: raw, fixed .vhd, or .tar.gz of disk.raw.",
            show_default=False,
        ),
    ],
    platform: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this platform: gcp, azure, qemu, tdx, uefi-vtpm. May be repeated. [default: all that FILE is for]",
            show_default=False,
        ),
    ] = None,
    vtpm: Annotated[
        bool | None,
        typer.Option(
            "--vtpm/--no-vtpm", help="Only machines with a vTPM, or without. [default: both]", show_default=False
        ),
    ] = None,
    events: EventsOption = False,
    output: Annotated[
        Path | None, typer.Option(help="Also write the measurements to this file, as JSON.", show_default=False)
    ] = None,
    pcrlock: Annotated[
        bool, typer.Option("--pcrlock", help="Print the PCRs of one platform as a component of systemd-pcrlock.")
    ] = False,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Predict the measurement registers of a guest that boots FILE, each with the event log that leads to it.

    What FILE does not decide (the GPT, for a UKI without its disk; the firmware) is said to be not known, with the reason.
    """
    from teekit_verify.core.files import write_whole
    from teekit_verify.reference.create import dump_measurements
    from teekit_verify.reference.measure import measure_file, platforms_for
    from teekit_verify.reference.pcrlock import dump_pcrlock
    from teekit_verify.report import layout, terminal

    names = platform or (["uefi-vtpm"] if pcrlock else [])
    measurements = measure_file(file, platforms_for(file, names, vtpm=vtpm))
    document = dump_measurements(measurements)
    if output is not None:
        write_whole(output, document)
    if pcrlock:
        typer.echo(dump_pcrlock(measurements).decode(), nl=False)
    elif json_output:
        typer.echo(document.decode(), nl=False)
    else:
        terminal.show_measurements(measurements, layout.console(sys.stdout), events=events)
    return ExitStatus.HOLDS
