"""`teekit-verify replay`: what a guest's registers hold after the events of a log."""

from __future__ import annotations

import json
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
        typer.Option(help="Which registers the log names. [default: found out]", show_default=False),
    ] = None,
    ima: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The list of what IMA measured after the boot: extends PCR 10, in a TD RTMR2.",
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

    Exit status: 0 every compared register is equal, or nothing was to be compared and the log was replayed; 1 one differs
    (with a quote: also one that the log does not extend and that is not zero in the quote), or the log is FORGED: an event's
    text is not what its digest was made of; 2 RTMR3 was extended at run time, and a log of the boot does not have that. None
    of them says whether the guest is acceptable.
    """
    from teekit_verify.appraisal.guest.eventlog import compare_logs, compare_with_quote
    from teekit_verify.core.files import read_bounded
    from teekit_verify.evidence.eventlog import MAX_LOG_BYTES, LogKind
    from teekit_verify.evidence.files import more_logs, read_log
    from teekit_verify.evidence.quote import read_quote
    from teekit_verify.report import boot_report, layout
    from teekit_verify.report.inspect import evidence as evidence_report

    log_kind = None if kind is None else LogKind(kind.upper())
    with expecting(eventlog, Given.LOG):
        log = read_log(eventlog, table=table, kind=log_kind, ima=ima)
        beside = more_logs(read_bounded(eventlog, MAX_LOG_BYTES, "an event log"), log) if log_kind is None else ()
    with expecting(against, Given.LOG):
        other = None if against is None else read_log(against, kind=log_kind)
    logs = (log, *beside) if other is None else (log, *beside, other)
    with expecting(quote, Given.QUOTE):
        quoted = None if quote is None else compare_with_quote(log, read_quote(quote))
    expected = None if other is None else compare_logs(other, log)
    if json_output:
        document = boot_report.render_event_log(log, events=events)
        if beside:
            document["more_event_logs"] = [boot_report.render_event_log(it, events=events) for it in beside]
        compared = evidence_report.render_comparisons(quoted, expected, logs=logs)
        typer.echo(json.dumps({**document, **compared}, indent=2))
    else:
        out = layout.console(sys.stdout)
        for one in (log, *beside):
            boot_report.show_event_log(one, out, events=events)
        evidence_report.show_comparisons(quoted, expected, out, logs=logs)
    return evidence_report.exit_status(quoted, expected, logs=logs)
