"""`teekit-verify compare`: is this what was published, and if not, which event differs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import guest as given
from teekit_verify.cli.options import quote as ask
from teekit_verify.cli.options.google_root import GoogleRootOption, google_root_at
from teekit_verify.cli.options.measure import HostnameOption, ManifestOption, given_apps
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
            metavar="FILE", help="A UKI, or a disk with one (raw, .vhd, .tar.gz). Or give --quote, or --claims."
        ),
    ] = None,
    claims: Annotated[
        Path | None,
        typer.Option(
            "--claims",
            "--measurements",
            metavar="FILE",
            help="Instead of an artifact, what somebody says it measures: a measurements.json.",
        ),
    ] = None,
    quote: given.QuoteOption = None,
    vtpm: given.VtpmOption = None,
    eventlog: given.EventlogOption = None,
    ima: given.ImaOption = None,
    runtime_log: given.RuntimeLogOption = None,
    manifest: ManifestOption = None,
    hostname: HostnameOption = None,
    platform: given.PlatformOption = None,
    mrtd: given.MrtdOption = None,
    endorsement: given.EndorsementOption = None,
    secure_boot: given.SecureBootOption = None,
    report_data: ask.ReportDataOption = None,
    nonce: ask.NonceOption = None,
    public_key: ask.PublicKeyOption = None,
    allow_debug: ask.AllowDebugOption = False,
    allow_unchecked: ask.AllowUncheckedOption = None,
    allow_service_td: ask.AllowServiceTdOption = False,
    service_td: ask.ServiceTdOption = None,
    allow_sept_ve: ask.AllowSeptVeOption = False,
    collateral: ask.CollateralOption = None,
    at: ask.AtOption = None,
    trusted_root: ask.TrustedRootOption = None,
    google_root: GoogleRootOption = None,
    events: EventsOption = False,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Compare FILE, or a guest's quote, with the values in REF.

    FILE's own bytes are hashed and measured. A measurements.json is only somebody's claim about them: it is taken with --claims
    alone, and shown as one. Where they differ, the first event that does is named. Of an image that measures what it runs, that is
    compared with --manifest, or with the reference's apps.

    Exit status: 0 everything the reference asks for was compared whole and is equal (and the quote is authentic and acceptable,
    as `quote` says); 1 something differs, or the quote is not; 2 no verdict.
    """
    from teekit_verify.appraisal.guest.appraise import GuestFiles
    from teekit_verify.appraisal.guest_states import SecureBoot
    from teekit_verify.cli.comparing import compare_file, compare_quote

    root = google_root_at(google_root, at)
    of_quotes = (
        vtpm,
        eventlog,
        ima,
        runtime_log,
        manifest,
        hostname,
        platform,
        mrtd,
        endorsement,
        secure_boot,
        report_data,
        nonce,
        public_key,
        allow_debug or allow_service_td or allow_sept_ve or None,
        allow_unchecked,
        service_td,
        collateral,
        trusted_root,
    )
    unasked = all(item is None for item in of_quotes) and (at is None or root is not None)
    one = file or claims
    if one is not None and (file is None or claims is None) and quote is None and unasked:
        return compare_file(ref, root, one, claims=claims is not None, events=events, json_output=json_output)
    if quote is None or one is not None:
        raise TeekitError(
            "expected either FILE, or --claims, or --quote and what is asked of it",
            hint="Give `compare REF FILE`, `compare REF --claims FILE` or `compare REF --quote FILE`.",
        )
    allowed = {"allow_debug": allow_debug, "allow_service_td": allow_service_td, "allow_sept_ve": allow_sept_ve}
    policy = ask.quote_policy(
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
    files = GuestFiles(quote, tuple(vtpm or ()), eventlog, ima, runtime_log)
    runs = given_apps(manifest, None, hostname, any_hostnames=True)
    firmware = given.trusted_firmware(mrtd, endorsement, root)
    state = None if secure_boot is None else SecureBoot(secure_boot)
    return compare_quote(
        ref, root, files, policy, platform, firmware, state, runs, events=events, json_output=json_output
    )
