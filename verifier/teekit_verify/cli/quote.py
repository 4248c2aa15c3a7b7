"""`teekit-verify quote`: whether a TDX quote is authentic, and acceptable."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import DebugOption, JsonOption
from teekit_verify.core.outcome import ExitStatus


def quote(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A TDX quote as bytes, hexadecimal, base64 or JSON.", show_default=False),
    ],
    report_data: Annotated[
        str | None, typer.Option(metavar="HEX", help="What REPORTDATA must be; zeros follow if it is shorter.")
    ] = None,
    nonce: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file with what REPORTDATA must be, of 1 to 64 bytes; zeros follow."),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="REPORTDATA must be the SHA-256, SHA-384 or SHA-512 of this key (DER, SPKI)."),
    ] = None,
    allow_debug: Annotated[bool, typer.Option("--allow-debug", help="Do not refuse a debug TD.")] = False,
    collateral: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Revocation lists, TCB info and QE identity that Intel published.", exists=True
        ),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="The time to check at, as 2026-02-03T04:05:06Z. [default: now]")
    ] = None,
    trusted_root: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The root to trust. [default: Intel SGX Root CA]")
    ] = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Verify FILE's signatures up to Intel's root, and what the quote says about its TD. Nothing is fetched.

    Exit status: 0 authentic, and acceptable as far as was asked (what was not checked is listed: revocation and TCB status
    without --collateral, REPORTDATA unless asked for); 1 not; 2 no verdict: unreadable. Registers are shown, not compared.
    """
    from teekit_verify.appraisal.policy import QuotePolicy, appraise_quote
    from teekit_verify.appraisal.quote_request import parse_time, read_root, requested_report_data
    from teekit_verify.evidence.authenticity import parse_signature
    from teekit_verify.evidence.collateral import read_collateral
    from teekit_verify.evidence.quote import read_quote
    from teekit_verify.report import layout, quote_report

    parsed = read_quote(file)
    signature = parse_signature(parsed)
    policy = QuotePolicy(
        at=datetime.now(UTC) if at is None else parse_time(at),
        trusted_root=read_root(trusted_root),
        report_data=requested_report_data(report_data, nonce, public_key),
        allow_debug=allow_debug,
        collateral=None if collateral is None else read_collateral(collateral),
    )
    appraisal = appraise_quote(parsed, signature, policy)
    if json_output:
        typer.echo(json.dumps(quote_report.render_quote_appraisal(parsed, signature, appraisal), indent=2))
    else:
        quote_report.show_quote_appraisal(parsed, signature, appraisal, layout.console(sys.stdout))
    return appraisal.status
