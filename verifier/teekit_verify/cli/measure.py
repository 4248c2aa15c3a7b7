"""`teekit-verify measure`: predict what a guest's measurement registers will hold after booting an artifact."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import DebugOption, EventsOption, JsonOption
from teekit_verify.core.outcome import ExitStatus


def measure(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A unified kernel image (UKI).", show_default=False)],
    events: EventsOption = False,
    output: Annotated[
        Path | None, typer.Option(help="Also write the measurements to this file, as JSON.", show_default=False)
    ] = None,
    vtpm: Annotated[
        bool | None,
        typer.Option(
            "--vtpm/--no-vtpm", help="Only machines with a vTPM, or without. [default: both]", show_default=False
        ),
    ] = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Predict the measurement registers of a guest that boots FILE.

    PCR 4, 5, 9, 11 and RTMR1, RTMR2, each with the event log that leads to it. What the file alone does not decide (the
    GPT of its disk) is said to be missing.
    """
    from teekit_verify.core.files import write_whole
    from teekit_verify.reference.create import dump_measurements
    from teekit_verify.reference.measure import measure_file, platforms_with
    from teekit_verify.report import layout, terminal

    measurements = measure_file(file, platforms_with(vtpm=vtpm))
    document = dump_measurements(measurements)
    if output is not None:
        write_whole(output, document)
    if json_output:
        typer.echo(document.decode(), nl=False)
    else:
        terminal.show_measurements(measurements, layout.console(sys.stdout), events=events)
    return ExitStatus.HOLDS
