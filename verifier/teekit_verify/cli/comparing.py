"""The two halves of `compare`: a file against a reference, and what a guest presented against one."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import typer

from teekit_verify import __version__
from teekit_verify.appraisal.compare import compare_with_published
from teekit_verify.appraisal.policy import appraise_quote
from teekit_verify.appraisal.presented import appraise_presented, of_azure, of_quote
from teekit_verify.appraisal.vtpm import appraise_azure, is_certified
from teekit_verify.evidence.authenticity import parse_signature
from teekit_verify.evidence.azure import is_azure_evidence, read_vtpm
from teekit_verify.evidence.files import read_log
from teekit_verify.evidence.quote import read_quote
from teekit_verify.reference.formats import load_published
from teekit_verify.reference.measure import measure_or_load
from teekit_verify.report import json_report, layout, presented_report, quote_report, terminal
from teekit_verify.report.document import ComparisonReport, ReferenceUsed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.appraisal.policy import QuotePolicy
    from teekit_verify.core.outcome import ExitStatus
    from teekit_verify.reference.formats.base import TrustedRoot


def compare_file(ref: Path, file: Path, root: TrustedRoot | None, *, events: bool, json_output: bool) -> ExitStatus:
    published = load_published(ref, root)
    measurements = measure_or_load(file, published)
    values, checklist, conclusion = compare_with_published(published.values, measurements)
    used = ReferenceUsed(str(ref), published.title(values), values.commit, published.sha256)
    report = ComparisonReport(used, measurements, checklist, conclusion, __version__)
    if json_output:
        typer.echo(json_report.render_comparison(report).decode(), nl=False)
    else:
        out = layout.console(sys.stdout)
        terminal.show_comparison(report, out, reference=values if events else None)
    return conclusion.status


def compare_quote(
    ref: Path,
    file: Path,
    vtpm_files: Sequence[Path],
    eventlog: Path | None,
    platform: str | None,
    policy: QuotePolicy,
    root: TrustedRoot | None,
    *,
    events: bool,
    json_output: bool,
) -> ExitStatus:
    published = load_published(ref, root)
    quote = read_quote(file)
    signature = parse_signature(quote)
    log = None if eventlog is None else read_log(eventlog)
    if vtpm_files or is_azure_evidence(file):
        vtpm = read_vtpm(vtpm_files or [file])
        about_quote = appraise_azure(quote, signature, vtpm, policy)
        presented = of_azure(quote, vtpm.pcrs, log, vouched_for=is_certified(about_quote))
    else:
        about_quote = appraise_quote(quote, signature, policy)
        presented = of_quote(quote, log)
    appraisal = appraise_presented(published.values, presented, about_quote, platform)
    used = ReferenceUsed(str(ref), published.title(appraisal.values), appraisal.values.commit, published.sha256)
    if json_output:
        about = quote_report.render_quote_appraisal(quote, signature, appraisal.quote)
        typer.echo(json.dumps(presented_report.render_presented(used, appraisal, about), indent=2))
    else:
        out = layout.console(sys.stdout)
        presented_report.show_presented(file.name, used, appraisal, out, events=events)
    return appraisal.conclusion.status
