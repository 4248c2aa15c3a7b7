"""`teekit-verify compare`: is this what was published, and if not, which event differs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.findings import SarifOption
from teekit_verify.cli.options.google_root import GoogleRootOption, google_root_at
from teekit_verify.cli.options.groups import any_given, grouped
from teekit_verify.cli.options.guest import EvidenceOptions, MachineOptions, RunsOptions
from teekit_verify.cli.options.quote import ExceptionOptions, ReportDataOptions, TrustOptions, quote_policy
from teekit_verify.cli.options.shared import DebugOption, EventsOption, JsonOption
from teekit_verify.cli.pages import HtmlOption
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus


@grouped
def compare(
    evidence: EvidenceOptions,
    machine: MachineOptions,
    runs: RunsOptions,
    asked: ReportDataOptions,
    trust: TrustOptions,
    exceptions: ExceptionOptions,
    ref: Annotated[
        Path,
        typer.Argument(metavar="REF", help="A file of reference values, in any format that `reference check` knows."),
    ],
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="A UKI, or a disk with one, as `measure` takes it, or other reference values. Or give --quote, or --claims.",
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
    google_root: GoogleRootOption = None,
    events: EventsOption = False,
    html: HtmlOption = None,
    sarif: SarifOption = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Compare FILE, or a guest's quote, with the values in REF.

    FILE's own bytes are hashed and measured. A measurements.json is only somebody's claim about them: it is taken with --claims
    alone, and shown as one. Where they differ, the first event that does is named. What a guest runs is compared where its image
    measures that: with --manifest, or with the apps of REF. Two references are compared as `release diff` does.

    Exit status: 0 everything the reference asks for was compared completely and is equal (and the quote is authentic and acceptable,
    as `quote` says); 1 something differs, or the quote is not; 2 no verdict.
    """
    from teekit_verify import api
    from teekit_verify.cli.comparing import ComparisonOutput, GuestQuestion, compare_file, compare_quote
    from teekit_verify.cli.diffing import is_publication, show_diff

    root, quote = google_root_at(google_root, trust.at), evidence.quote
    of_quotes = any_given(evidence, machine, runs, asked, replace(trust, at=None), exceptions)
    one, output = file or claims, ComparisonOutput(events, html, sarif, json_output)
    if one is not None and None in {file, claims} and not of_quotes and (trust.at is None or root is not None):
        if claims is None and is_publication(one):
            return show_diff(str(ref), str(one), root=root, html=html, sarif=sarif, json_output=json_output)
        return compare_file(ref, root, one, claims=claims is not None, output=output)
    if quote is None and one is not None:
        raise TeekitError(
            "an option here is asked of a guest's quote, and no quote is given",
            hint="Leave out what `compare --help` lists for a guest, or give its quote with --quote in the place of a file.",
        )
    if quote is None or one is not None:
        raise TeekitError(
            "expected either FILE, or --claims, or --quote and what is asked of it",
            hint="Give `compare REF FILE`, `compare REF --claims FILE` or `compare REF --quote FILE`.",
        )
    question = GuestQuestion(
        evidence.files(quote),
        quote_policy(asked, trust, exceptions, evidence.azure_root),
        machine.platform,
        api.trusted_firmware(machine.mrtd or (), machine.endorsement, root),
        machine.state,
        runs.given,
    )
    return compare_quote(ref, root, question, output)
