"""The two halves of `compare`: a file against a reference, and what a guest presented against one."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING

import typer

from teekit_verify import __version__, api
from teekit_verify.cli.findings import write_findings
from teekit_verify.cli.options.shared import say_warning
from teekit_verify.cli.pages import write_page
from teekit_verify.cli.wrong_file import ARTIFACTS, REFERENCES, Given, expecting
from teekit_verify.core.files import read_beginning
from teekit_verify.core.frozen import frozen
from teekit_verify.report import layout, presented_report, quote_report, terminal
from teekit_verify.report.sarif.findings import of_comparison, of_presented

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.api import (
        Digest,
        GivenApps,
        GuestFiles,
        PublishedFile,
        QuotePolicy,
        ReferenceUsed,
        ReferenceValues,
        SecureBoot,
        TrustedRoot,
    )
    from teekit_verify.core.outcome import ExitStatus


@frozen
class GuestQuestion:
    """What a guest gave, and what is asked of it. `platform` is one of the reference's, or None for the one that fits.
    `firmware`: MRTDs that are vouched for. `given` is what it should have been given to run, None as the reference says.
    """

    files: GuestFiles
    policy: QuotePolicy
    platform: str | None
    firmware: tuple[Digest, ...]
    secure_boot: SecureBoot | None
    given: GivenApps | None = None


@frozen
class ComparisonOutput:
    """How a comparison is shown, and where else it goes."""

    events: bool
    html: Path | None
    sarif: Path | None
    json_output: bool


def compare_file(
    ref: Path, root: TrustedRoot | None, file: Path, *, claims: bool, output: ComparisonOutput
) -> ExitStatus:
    """`root` is for a reference that Google signs; `claims`: `file` says what an artifact measures, and is not one.

    Raises TeekitError if there is no verdict.
    """
    if not ref.exists():
        read_beginning(ref, 1)  # of a file that is not there, nothing else is said
    wanted = (Given.DOCUMENT, Given.REFERENCE) if claims else (*ARTIFACTS, Given.DOCUMENT)
    with expecting(ref, *REFERENCES), expecting(file, *wanted):
        compared = api.appraise_claims(ref, file, root=root) if claims else api.appraise_artifact(ref, file, root=root)
    warn_if_withdrawn(ref)
    used = reference_used(ref, compared.published, compared.values)
    report = api.ComparisonReport(
        used, compared.measurements, compared.checklist, compared.conclusion, __version__, claimed=claims
    )
    show = partial(terminal.show_comparison, report, reference=compared.values if output.events else None)
    if output.json_output:
        typer.echo(terminal.render_comparison(report).decode(), nl=False)
    else:
        show(layout.console(sys.stdout))
    write_page(output.html, f"compare {file.name} with {used.release}", compared.status, show)
    write_findings(output.sarif, of_comparison(report, str(file)), compared.status)
    return compared.status


def compare_quote(ref: Path, root: TrustedRoot | None, question: GuestQuestion, output: ComparisonOutput) -> ExitStatus:
    """As `compare_file`."""
    files = question.files
    with (
        expecting(ref, *REFERENCES),
        expecting(files.eventlog, Given.LOG, Given.QUOTE),
        expecting(files.quote, Given.QUOTE),
        expecting(files.ima, Given.IMA, Given.LOG),
    ):
        guest = api.appraise_guest(
            ref,
            files,
            question.policy,
            platform=question.platform,
            secure_boot=question.secure_boot,
            firmware=question.firmware,
            root=root,
            given=question.given,
        )
    warn_if_withdrawn(ref)
    appraisal = guest.appraisal
    used = reference_used(ref, guest.published, appraisal.values)
    show = partial(presented_report.show_presented, files.quote.name, used, appraisal, events=output.events)
    if output.json_output:
        quote, signature = guest.quote, guest.signature
        assert quote is not None and signature is not None  # noqa: S101, PT018 - it was required
        about = quote_report.render_quote_appraisal(quote, signature, appraisal.quote)
        typer.echo(json.dumps(presented_report.render_presented(used, appraisal, about), indent=2))
    else:
        show(layout.console(sys.stdout))
    write_page(output.html, f"compare {files.quote.name} with {used.release}", guest.status, show)
    write_findings(output.sarif, of_presented(appraisal, str(files.quote)), guest.status)
    return guest.status


def warn_if_withdrawn(ref: Path) -> None:
    if (why := api.withdrawal_of(ref)) is not None:
        say_warning(f"{ref} is of a withdrawn release: {why}")


def reference_used(ref: Path, published: PublishedFile, values: ReferenceValues) -> ReferenceUsed:
    return api.ReferenceUsed(str(ref), published.title(values), values.commit, published.sha256)
