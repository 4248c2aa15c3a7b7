"""What `release diff` and `compare` with two references do."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from teekit_verify.cli.findings import write_findings
from teekit_verify.cli.pages import write_page
from teekit_verify.cli.wrong_file import Given, expecting, find_out

if TYPE_CHECKING:
    from teekit_verify.api import TrustedRoot
    from teekit_verify.core.outcome import ExitStatus

_WANTED = (Given.REFERENCE, Given.DOCUMENT, Given.FOLDER)


def is_publication(path: Path) -> bool:
    """Reference values, or the folder of a release. A measurements.json is neither: it is a claim."""
    if path.is_dir():
        return (path / "release.json").is_file()
    return find_out(path) is Given.REFERENCE


def show_diff(
    a: str,
    b: str,
    *,
    checkout: Path | None = None,
    root: TrustedRoot | None,
    html: Path | None,
    sarif: Path | None,
    json_output: bool,
) -> ExitStatus:
    """Raises TeekitError where the two cannot be compared."""
    from teekit_verify import api
    from teekit_verify.report import layout, publications_report

    with expecting(Path(a), *_WANTED), expecting(Path(b), *_WANTED):
        found = api.diff_publications(a, b, checkout=checkout, root=root)
    if json_output:
        typer.echo(publications_report.render(found).decode(), nl=False)
    else:
        publications_report.show(found, layout.console(sys.stdout))
    title = f"{Path(a).name} and {Path(b).name}"
    write_page(html, title, found.status, partial(publications_report.show, found), of_two=True)
    if sarif is not None:
        from teekit_verify.report.sarif.diff import of_diff

        write_findings(sarif, of_diff(found), found.status)
    return found.status
