"""`teekit-verify reference create` and `add`: write files of reference values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.guest import RunsOptions
from teekit_verify.cli.options.shared import DebugOption, say, say_warning
from teekit_verify.core.outcome import ExitStatus


def create(
    report: Annotated[
        Path,
        typer.Argument(
            metavar="REPORT",
            help="The report folder of a rebuild in which A and B are identical.",
            exists=True,
            file_okay=False,
        ),
    ],
    release: Annotated[str, typer.Option(metavar="NAME", help="What the release is called.")],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")],
    commit: Annotated[
        str | None,
        typer.Option(metavar="COMMIT", help="The source commit, if you want it compared with the one of the report."),
    ] = None,
    measurements: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Also these registers of the same image, for other platforms or machine types: of `measure --output FILE`. "
            "May be repeated.",
        ),
    ] = None,
    manifest: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="What machines may be given to run, of an image that measures it: a manifest; again for the next kettle.",
        ),
    ] = None,
    hostname: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="With --manifest: a hostname; may be repeated. [default: any]"),
    ] = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Write a file of reference values from a rebuild's report.

    It holds the inputs, the artifacts and the predicted registers. It warns of registers that no guest can match.
    """
    from teekit_verify import api
    from teekit_verify.report.published_report import warnings

    written = api.create_reference(
        report,
        release=release,
        output=output,
        commit=commit,
        measurements=measurements or (),
        given=RunsOptions(manifest, hostname).given,
    )
    say(f"wrote {output}")
    for line in warnings(written):
        say_warning(line)
    return ExitStatus.HOLDS


def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A reference file of this project.")],
    label: Annotated[
        str,
        typer.Option(metavar="TEXT", help="What tells these values from the others: 'firmware of 2026-06', say."),
    ],
    output: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; it has to be signed again.")],
    measurements: Annotated[
        Path | None,
        typer.Argument(metavar="MEASUREMENTS", help="A measurements.json of an artifact that the file lists."),
    ] = None,
    manifest: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="What machines may be given to run as well: a manifest; again for the next kettle of the same machine.",
        ),
    ] = None,
    hostname: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="With --manifest: a hostname; may be repeated. [default: any]"),
    ] = None,
    debug: DebugOption = False,
) -> ExitStatus:
    """Accept more values, or more apps.

    Values are of an artifact that the file lists, on the same machines with another firmware, or on more machines. What belongs
    together stays together: a machine must match all the old values or all the new ones. Which apps it runs is another question:
    each set that the file accepts will do.
    """
    from teekit_verify import api

    given = RunsOptions(manifest, hostname).given
    api.extend_reference(file, measurements, label=label, output=output, given=given)
    say(f"wrote {output}")
    return ExitStatus.HOLDS
