"""`teekit-verify guest`: asks a live machine who it is, from its address to the line in the manifest."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options import guest as given
from teekit_verify.cli.options import quote as ask
from teekit_verify.cli.options.google_root import GoogleRootOption, google_root_at
from teekit_verify.cli.options.measure import HostnameOption, ManifestOption, given_apps
from teekit_verify.cli.options.shared import DebugOption, JsonOption, say
from teekit_verify.core.outcome import ExitStatus

_NONCE_BYTES = 32


def guest(
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="Of the machine: https://HOST, or http://HOST:3000.", show_default=False),
    ],
    reference: Annotated[
        Path,
        typer.Option(metavar="REF", help="A file of reference values, in any format that `reference check` knows."),
    ],
    manifest: ManifestOption = None,
    hostname: HostnameOption = None,
    collateral: ask.CollateralOption = None,
    at: ask.AtOption = None,
    allow_unchecked: ask.AllowUncheckedOption = None,
    platform: given.PlatformOption = None,
    mrtd: given.MrtdOption = None,
    endorsement: given.EndorsementOption = None,
    google_root: GoogleRootOption = None,
    secure_boot: given.SecureBootOption = None,
    allow_debug: ask.AllowDebugOption = False,
    allow_service_td: ask.AllowServiceTdOption = False,
    service_td: ask.ServiceTdOption = None,
    allow_sept_ve: ask.AllowSeptVeOption = False,
    trusted_root: ask.TrustedRootOption = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page to keep or to mail.", show_default=False)
    ] = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Ask a live machine who it is; compare it with --reference.

    A new nonce is sent over a connection of its own. The quote must be authentic, and bind the nonce and the key of that
    connection; the logs must lead to the registers, the registers be the release's, and the apps the manifests'. Which
    authority vouches for the certificate does not matter.

    Exit status: 0 all of that was compared and holds; 1 something does not; 2 no verdict, no answer included. What
    may stay unchecked, --allow-unchecked names: tcb, revocation, app, channel (plain HTTP).
    """
    from teekit_verify import api
    from teekit_verify.appraisal.guest.appraise import AppraisedGuest
    from teekit_verify.appraisal.guest_states import SecureBoot
    from teekit_verify.cli.comparing import reference_used, warn_if_withdrawn
    from teekit_verify.core.files import write_named
    from teekit_verify.reference.formats import load_published
    from teekit_verify.report import guest_report, layout
    from teekit_verify.report.html import guest_page

    root = google_root_at(google_root, at)
    allowed = {"allow_debug": allow_debug, "allow_service_td": allow_service_td, "allow_sept_ve": allow_sept_ve}
    policy = ask.quote_policy(
        None,
        None,
        None,
        collateral,
        at,
        trusted_root,
        allow_unchecked=allow_unchecked,
        service_tds=service_td,
        **allowed,
    )
    runs = given_apps(manifest, None, hostname, any_hostnames=True)
    firmware = given.trusted_firmware(mrtd, endorsement, root)
    state = None if secure_boot is None else SecureBoot(secure_boot)
    load_published(reference, root)  # before anybody is asked
    live = api.ask_guest(url, nonce=secrets.token_bytes(_NONCE_BYTES))
    found = api.appraise_guest(
        reference, live, policy, platform=platform, secure_boot=state, firmware=firmware, root=root, given=runs
    )
    warn_if_withdrawn(reference)
    guest_found = AppraisedGuest(found.quote, found.signature, found.appraisal)
    used = reference_used(reference, found.published, found.appraisal.values)
    if html is not None:
        write_named(html, guest_page.render_guest_page(live, used, guest_found, policy.at))
        say(f"wrote {html}")
    if json_output:
        typer.echo(json.dumps(guest_report.render_guest(live, used, guest_found), indent=2))
    else:
        guest_report.show_guest(live, used, guest_found, layout.console(sys.stdout))
    return found.status
