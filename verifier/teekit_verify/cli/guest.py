"""`teekit-verify guest`: asks a live machine who it is, from its address to the line in the manifest."""

from __future__ import annotations

import json
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teekit_verify.cli.findings import SarifOption, write_findings
from teekit_verify.cli.options.google_root import GoogleRootOption, google_root_at
from teekit_verify.cli.options.groups import grouped
from teekit_verify.cli.options.guest import MachineOptions, RunsOptions
from teekit_verify.cli.options.quote import ExceptionOptions, ReportDataOptions, TrustOptions, quote_policy
from teekit_verify.cli.options.shared import DebugOption, JsonOption, say
from teekit_verify.cli.wrong_file import REFERENCES, expecting
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from datetime import datetime

    from teekit_verify.api import GuestAppraisal, LiveGuest

_NONCE_BYTES = 32


@grouped
def guest(
    runs: RunsOptions,
    machine: MachineOptions,
    trust: TrustOptions,
    exceptions: ExceptionOptions,
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="Of the machine: https://HOST, or http://HOST:3000.", show_default=False),
    ],
    reference: Annotated[
        Path,
        typer.Option(metavar="REF", help="A file of reference values, in any format that `reference check` knows."),
    ],
    google_root: GoogleRootOption = None,
    vtpm_issuer: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Azure, Google Cloud: certificates above that of the vTPM's key, the root included on Google Cloud. With them, Microsoft or Google "
            "vouches for it. May be repeated.",
            show_default=False,
        ),
    ] = None,
    vtpm_root: Annotated[
        Path | None,
        typer.Option(
            metavar="PEM",
            help="Roots of a vTPM's key that you trust besides Microsoft's of 2023 and Google's of 2018 and 2022.",
            show_default=False,
        ),
    ] = None,
    vtpm_key: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="The key of the machine's TPM that you vouch for: PEM, or the TPM's public area. May be repeated.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page to keep or to mail.", show_default=False)
    ] = None,
    sarif: SarifOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Ask a live machine who it is; compare it with --reference.

    A new nonce is sent over a connection of its own. The quote must be authentic, and bind the nonce and the key of that
    connection; the logs must lead to the registers, the registers be the release's, and the apps the manifests'. Which
    authority vouches for the certificate does not matter.

    Exit status: 0 all of that was compared and holds; 1 something does not; 2 no verdict, no answer included.
    --allow-unchecked names what may stay unchecked: tcb, revocation, app, channel (plain HTTP), tdx (a TPM alone).
    """
    from teekit_verify import api

    root = google_root_at(google_root, trust.at)
    policy, given = quote_policy(ReportDataOptions(), trust, exceptions, vtpm_root, vtpm_key or ()), runs.given
    firmware = api.trusted_firmware(machine.mrtd or (), machine.endorsement, root)
    with expecting(reference, *REFERENCES):  # before anybody is asked
        api.load_reference_values(reference, root=root)
    live = api.ask_guest(url, nonce=secrets.token_bytes(_NONCE_BYTES))
    found = api.appraise_guest(
        reference,
        live,
        policy,
        platform=machine.platform,
        secure_boot=machine.state,
        firmware=firmware,
        root=root,
        given=given,
        vtpm_issuers=vtpm_issuer or (),
    )
    if sarif is not None:
        from teekit_verify.report.sarif.findings import of_presented

        write_findings(sarif, of_presented(found.appraisal, str(reference)), found.status)
    _show(reference, live, found, html, policy.at, json_output=json_output)
    return found.status


def _show(
    reference: Path, live: LiveGuest, found: GuestAppraisal, html: Path | None, at: datetime, *, json_output: bool
) -> None:
    from teekit_verify import api
    from teekit_verify.cli.comparing import reference_used, warn_if_withdrawn
    from teekit_verify.core.files import write_named
    from teekit_verify.report import guest_report, layout
    from teekit_verify.report.html.guest_page import render_guest_page

    warn_if_withdrawn(reference)
    used = reference_used(reference, found.published, found.appraisal.values)
    appraised = api.AppraisedGuest(found.quote, found.signature, found.appraisal)
    if html is not None:
        write_named(html, render_guest_page(live, used, appraised, at))
        say(f"wrote {html}")
    if json_output:
        typer.echo(json.dumps(guest_report.render_guest(live, used, appraised), indent=2))
    else:
        guest_report.show_guest(live, used, appraised, layout.console(sys.stdout))
