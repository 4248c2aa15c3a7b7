"""`teekit-verify replay`: what a guest's registers hold after the events of a log."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from teekit_verify.cli.options import DebugOption, EventsOption, JsonOption
from teekit_verify.core.outcome import ExitStatus


def replay(
    eventlog: Annotated[
        Path,
        typer.Argument(
            metavar="EVENTLOG",
            help="A TPM event log (binary_bios_measurements) or the data of a CCEL (/sys/firmware/acpi/tables/data/CCEL).",
            show_default=False,
        ),
    ],
    table: Annotated[
        Path | None,
        typer.Option(help="The ACPI table of the CCEL (/sys/firmware/acpi/tables/CCEL).", show_default=False),
    ] = None,
    kind: Annotated[
        Literal["ccel", "tpm"] | None,
        typer.Option(help="Which registers the log names. [default: found out]", show_default=False),
    ] = None,
    events: EventsOption = False,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Replay EVENTLOG into RTMRs or PCRs.

    Exit status: 0 the log was read and replayed; that says nothing about whether its guest is acceptable.
    """
    from teekit_verify.evidence.ccel import read_ccel
    from teekit_verify.evidence.eventlog import LogKind, read_event_log
    from teekit_verify.report import boot_report, layout

    if table is not None:
        log = read_ccel(table, eventlog)
    else:
        log = read_event_log(eventlog, None if kind is None else LogKind(kind.upper()))
    if json_output:
        typer.echo(json.dumps(boot_report.render_event_log(log, events=events), indent=2))
    else:
        boot_report.show_event_log(log, layout.console(sys.stdout), events=events)
    return ExitStatus.HOLDS
