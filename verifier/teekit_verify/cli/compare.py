"""`teekit-verify compare`: is this what was published, and if not, which event differs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import guest as given
from teekit_verify.cli.options import quote as ask
from teekit_verify.cli.options.google_root import GoogleRootOption, google_root_at
from teekit_verify.cli.options.shared import DebugOption, EventsOption, JsonOption
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
    quote: given.QuoteOption = None,
    vtpm: given.VtpmOption = None,
    eventlog: given.EventlogOption = None,
    ima: given.ImaOption = None,
    platform: given.PlatformOption = None,
    secure_boot: given.SecureBootOption = None,
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
    """Compare FILE, or a guest's quote, with published values in REF.

    Where they differ, the first event that does is named.

    Exit status: 0 everything the reference asks for was compared and is equal (and the quote is authentic and acceptable),
    1 something differs, or the quote is not; 2 no verdict.
    """
    from teekit_verify.appraisal.guest.appraise import GuestFiles
    from teekit_verify.appraisal.guest_states import SecureBoot
    from teekit_verify.cli.comparing import compare_file, compare_quote

    root = google_root_at(google_root, at)
    of_quotes = (
        vtpm,
        eventlog,
        ima,
        platform,
        secure_boot,
        report_data,
        nonce,
        public_key,
        allow_debug or None,
        collateral,
        trusted_root,
    )
    unasked = all(item is None for item in of_quotes) and (at is None or root is not None)
    if file is not None and quote is None and unasked:
        return compare_file(ref, root, file, events=events, json_output=json_output)
    if quote is None or file is not None:
        raise TeekitError(
            "expected either FILE, or --quote and what is asked of it",
            hint="Give `compare REF FILE` or `compare REF --quote FILE`.",
        )
    policy = ask.quote_policy(report_data, nonce, public_key, collateral, at, trusted_root, allow_debug=allow_debug)
    files = GuestFiles(quote, tuple(vtpm or ()), eventlog, ima)
    state = None if secure_boot is None else SecureBoot(secure_boot)
    return compare_quote(ref, root, files, policy, platform, state, events=events, json_output=json_output)
