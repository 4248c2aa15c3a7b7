"""`teekit-verify compare`: is this what was published, and if not, which event differs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli import quote_options as ask
from teekit_verify.cli.google_root import GoogleRootOption, google_root_at
from teekit_verify.cli.options import DebugOption, EventsOption, JsonOption
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus


def compare(
    ref: Annotated[
        Path,
        typer.Argument(metavar="REF", help="A file of reference values, in any format that `reference check` knows."),
    ],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE", help="A UKI, a disk with one (raw, .vhd, .tar.gz), or a measurements.json. Or give --quote."
        ),
    ] = None,
    quote: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A TDX quote of a running guest, as `quote` takes it.")
    ] = None,
    vtpm: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Azure: HCL report, TPM quote, its signature, PCR values, certificates of the key; one each, in any order. "
            "[default: as in --quote, if that is JSON with all of them]",
        ),
    ] = None,
    eventlog: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The guest's event log, as `replay` takes it.")
    ] = None,
    platform: Annotated[
        str | None,
        typer.Option(
            "--platform", "--machine", metavar="NAME", help="Of the reference. [default: the one that the quote fits]"
        ),
    ] = None,
    report_data: ask.ReportDataOption = None,
    nonce: ask.NonceOption = None,
    public_key: ask.PublicKeyOption = None,
    allow_debug: ask.AllowDebugOption = False,
    collateral: ask.CollateralOption = None,
    at: ask.AtOption = None,
    trusted_root: ask.TrustedRootOption = None,
    google_root: GoogleRootOption = None,
    events: EventsOption = False,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Compare FILE, or a guest's quote, with the reference values in REF, and name the first event that differs.

    Exit status: 0 everything the reference asks for was compared and is equal (and the quote is authentic and acceptable),
    1 something differs, or the quote is not; 2 no verdict.
    """
    from teekit_verify.cli.comparing import compare_file, compare_quote

    asked = (
        vtpm,
        eventlog,
        platform,
        report_data,
        nonce,
        public_key,
        allow_debug or None,
        collateral,
        at if google_root is None else None,
        trusted_root,
    )
    if (file is None) == (quote is None) or (quote is None and any(item is not None for item in asked)):
        raise TeekitError(
            "expected either FILE, or --quote and what is asked of it",
            hint="Give `compare REF FILE` or `compare REF --quote FILE`.",
        )
    root = google_root_at(google_root, at)
    if quote is None:
        assert file is not None  # noqa: S101 - for the type checker
        return compare_file(ref, file, root, events=events, json_output=json_output)
    policy = ask.quote_policy(report_data, nonce, public_key, collateral, at, trusted_root, allow_debug=allow_debug)
    return compare_quote(
        ref, quote, vtpm or [], eventlog, platform, policy, root, events=events, json_output=json_output
    )
