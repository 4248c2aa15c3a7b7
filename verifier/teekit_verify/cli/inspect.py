"""`teekit-verify inspect`: what is in a file. It never says whether that is acceptable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.findings import SarifOption, write_findings
from teekit_verify.cli.options.shared import DebugOption, EventsOption, JsonOption
from teekit_verify.cli.wrong_file import Given, expecting
from teekit_verify.core.outcome import ExitStatus


def inspect(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A UKI, a disk (raw, .vhd, .vhdx, .qcow2, or one of these packed: .tar.gz), TDX firmware (OVMF.fd), a TDX quote, an event log, "
            "the ACPI table of a CCEL, reference values in any known format, an auditor's statement, or a JSON document of this tool. The kind is detected from the content.",
            show_default=False,
        ),
    ],
    events: EventsOption = False,
    sarif: SarifOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Show what is in FILE: image, firmware, quote or event log.

    Of a UKI or of firmware: the sections with sizes and digests. Of a disk: its partitions, the files in its EFI system
    partition and its UKI. Of a quote: the fields. Of an event log: the registers (and events).

    Exit status: 0 the file was read; that says nothing about whether it is authentic or acceptable.
    """
    from teekit_verify import api
    from teekit_verify.report.inspect import file as shown
    from teekit_verify.report.layout import console

    none = {Given.FOLDER, Given.EMPTY, Given.CUT_OFF, Given.WEB_PAGE}
    known = [kind for kind in Given if kind not in none]  # in order: the hint names the first
    with expecting(file, *known):
        found = api.inspect(file)
    if json_output:
        typer.echo(shown.render(found, events=events).decode(), nl=False)
    else:
        shown.show(found, console(sys.stdout), events=events)
    if sarif is not None:
        from teekit_verify.report.sarif.findings import of_inspection

        write_findings(sarif, of_inspection(found, str(file)), ExitStatus.HOLDS)
    return ExitStatus.HOLDS
