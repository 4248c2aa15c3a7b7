"""`teekit-verify replay`: what a guest's registers hold after the events of a log."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from teekit_verify.cli.options.shared import DebugOption, EventsOption, JsonOption
from teekit_verify.cli.wrong_file import Given, expecting
from teekit_verify.core.outcome import ExitStatus


def replay(
    eventlog: Annotated[
        Path,
        typer.Argument(
            metavar="EVENTLOG",
            help="A TPM event log (binary_bios_measurements), the data of a CCEL (/sys/firmware/acpi/tables/data/CCEL), a dstack "
            "guest's log, a canonical event log (CEL), the log of what a guest runs, IMA's list, or what carries one of these.",
            show_default=False,
        ),
    ],
    table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The ACPI table of the CCEL (/sys/firmware/acpi/tables/CCEL).", show_default=False
        ),
    ] = None,
    kind: Annotated[
        Literal["ccel", "tpm"] | None,
        typer.Option(help="Which registers the log names. [default: detected]", show_default=False),
    ] = None,
    ima: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="IMA's measurement list: it extends PCR 10, in a TD RTMR2.",
            show_default=False,
        ),
    ] = None,
    quote: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A TDX quote of the same guest, as bytes, hexadecimal, base64 or JSON: compare its RTMRs. "
            "Its signature is not verified.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="EVENTLOG", help="The event log that was expected: say where the boots part.", show_default=False
        ),
    ] = None,
    events: EventsOption = False,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Replay EVENTLOG into RTMRs or PCRs; compare them with others.

    The others are those of a quote, or of another log.

    Exit status: 0 every compared register is equal, or there was nothing to compare and the log was replayed; 1 one differs
    (with a quote: also one that the log does not extend and that is not zero in the quote), or the log is FORGED: an event's
    text is not what its digest was made of; 2 RTMR3 was extended at run time, and a log of the boot does not have that. None
    of them says whether the guest is acceptable.
    """
    from teekit_verify import api
    from teekit_verify.report import layout, replay_report

    log_kind = None if kind is None else api.LogKind(kind.upper())
    with (
        expecting(eventlog, Given.LOG),
        expecting(against, Given.LOG),
        expecting(quote, Given.QUOTE),
        expecting(table, Given.TABLE),
        expecting(ima, Given.IMA, Given.LOG),
    ):
        found = api.replay(eventlog, table=table, kind=log_kind, ima=ima, quote=quote, against=against)
    compared = replay_report.Comparisons(found.with_quote, found.with_expected, found.logs, found.status)
    if json_output:
        typer.echo(replay_report.render(found.log, found.beside, compared, events=events).decode(), nl=False)
    else:
        replay_report.show(found.log, found.beside, compared, layout.console(sys.stdout), events=events)
    return found.status
