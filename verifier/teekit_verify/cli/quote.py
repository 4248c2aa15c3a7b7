"""`teekit-verify quote`: whether a TDX quote is authentic, and acceptable."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.quote import (
    AllowDebugOption,
    AllowSeptVeOption,
    AllowServiceTdOption,
    AllowUncheckedOption,
    AtOption,
    CollateralOption,
    NonceOption,
    PublicKeyOption,
    ReportDataOption,
    ServiceTdOption,
    TrustedRootOption,
    quote_policy,
)
from teekit_verify.cli.options.shared import DebugOption, JsonOption
from teekit_verify.cli.wrong_file import Given, expecting
from teekit_verify.core.outcome import ExitStatus


def quote(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A TDX quote as bytes, hexadecimal, base64 or JSON.", show_default=False),
    ],
    report_data: ReportDataOption = None,
    nonce: NonceOption = None,
    public_key: PublicKeyOption = None,
    allow_debug: AllowDebugOption = False,
    allow_unchecked: AllowUncheckedOption = None,
    allow_service_td: AllowServiceTdOption = False,
    service_td: ServiceTdOption = None,
    allow_sept_ve: AllowSeptVeOption = False,
    collateral: CollateralOption = None,
    at: AtOption = None,
    trusted_root: TrustedRootOption = None,
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

    allowed = {"allow_debug": allow_debug, "allow_service_td": allow_service_td, "allow_sept_ve": allow_sept_ve}
    policy = quote_policy(
        report_data,
        nonce,
        public_key,
        collateral,
        at,
        trusted_root,
        allow_unchecked=allow_unchecked,
        service_tds=service_td,
        **allowed,
    )
    with expecting(file, Given.QUOTE):
        verified = api.verify_quote(file, policy)
    whole = verified.quote, verified.signature, verified.appraisal
    if json_output:
        typer.echo(json.dumps(quote_report.render_quote_appraisal(*whole), indent=2))
    else:
        quote_report.show_quote_appraisal(*whole, layout.console(sys.stdout))
    return verified.status
