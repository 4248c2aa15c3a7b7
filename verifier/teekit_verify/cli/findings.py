"""`--sarif FILE`: what a command found, also for a program that shows findings beside code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from teekit_verify.cli.options.shared import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.core.outcome import ExitStatus
    from teekit_verify.report.sarif.findings import Finding

SarifOption = Annotated[
    Path | None,
    typer.Option(
        "--sarif",
        metavar="FILE",
        help="Also write the findings as SARIF 2.1.0, for GitHub and editors.",
        show_default=False,
    ),
]


def write_findings(path: Path | None, findings: Iterable[Finding], status: ExitStatus) -> None:
    """Nothing without a path."""
    if path is None:
        return
    from teekit_verify.core.files import write_named
    from teekit_verify.report.sarif.document import render

    write_named(path, render(findings, status))
    say(f"wrote {path}")
