"""`teekit-verify compare`: is this what was published, and if not, which event differs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify import __version__
from teekit_verify.cli.options import DebugOption, EventsOption, JsonOption
from teekit_verify.core.outcome import ExitStatus


def compare(
    ref: Annotated[Path, typer.Argument(metavar="REF", help="A reference file.", show_default=False)],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A UKI, a disk with one (raw, .vhd, .tar.gz), or a measurements.json.",
            show_default=False,
        ),
    ],
    events: EventsOption = False,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Compare FILE with the reference values in REF, and name the first event that differs and its cause.

    Exit status: 0 everything the reference asks for was compared and is equal, 1 something differs, 2 no verdict.
    """
    from teekit_verify.appraisal.compare import compare_with_reference
    from teekit_verify.reference.load import load_reference_file
    from teekit_verify.reference.measure import measure_or_load
    from teekit_verify.report import json_report, layout, terminal
    from teekit_verify.report.document import ComparisonReport, ReferenceUsed

    reference, digest = load_reference_file(ref)
    measurements = measure_or_load(file, reference)
    checklist, conclusion = compare_with_reference(reference, measurements)
    used = ReferenceUsed(str(ref), reference.release, reference.commit, digest)
    report = ComparisonReport(used, measurements, checklist, conclusion, __version__)
    if json_output:
        typer.echo(json_report.render_comparison(report).decode(), nl=False)
    else:
        out = layout.console(sys.stdout)
        terminal.show_comparison(report, out, reference=reference if events else None)
    return conclusion.status
