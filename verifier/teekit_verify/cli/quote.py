"""`teekit-verify quote`: whether a TDX quote is authentic, and acceptable."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.groups import grouped
from teekit_verify.cli.options.quote import ExceptionOptions, ReportDataOptions, TrustOptions, quote_policy
from teekit_verify.cli.options.shared import DebugOption, JsonOption
from teekit_verify.cli.pages import HtmlOption, write_page
from teekit_verify.cli.wrong_file import Given, expecting
from teekit_verify.core.outcome import ExitStatus


@grouped
def quote(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A TDX quote as bytes, hexadecimal, base64 or JSON.", show_default=False),
    ],
    asked: ReportDataOptions,
    trust: TrustOptions,
    exceptions: ExceptionOptions,
    html: HtmlOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Verify a TDX quote: its signatures, and what it says.

    The signatures must lead to Intel's root. Nothing is fetched. Registers are shown, not compared: `compare` does that.

    Exit status: 0 authentic and acceptable; 1 not; 2 no verdict: unreadable, or something was not checked that had to be
    (revocation and TCB status without --collateral, REPORTDATA unless asked for), and --allow-unchecked does not name it.
    """
    from teekit_verify import api
    from teekit_verify.report import layout, quote_report

    policy = quote_policy(asked, trust, exceptions)
    with expecting(file, Given.QUOTE):
        verified = api.verify_quote(file, policy)
    whole = verified.quote, verified.signature, verified.appraisal
    if json_output:
        typer.echo(json.dumps(quote_report.render_quote_appraisal(*whole), indent=2))
    else:
        quote_report.show_quote_appraisal(*whole, layout.console(sys.stdout))
    write_page(html, f"quote {file.name}", verified.status, partial(quote_report.show_quote_appraisal, *whole))
    return verified.status
