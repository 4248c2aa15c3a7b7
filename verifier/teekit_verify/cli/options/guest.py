"""What a guest gave, as options of `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

QuoteOption = Annotated[
    Path | None,
    typer.Option("--quote", metavar="FILE", help="A TDX quote of a running guest, as `quote` takes it."),
]
VtpmOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--vtpm",
        metavar="FILE",
        help="Azure: HCL report, TPM quote, its signature, PCR values, certificates of the key; one each, in any order. "
        "[default: as in --quote, if that is JSON with all of them]",
    ),
]
EventlogOption = Annotated[
    Path | None, typer.Option("--eventlog", metavar="FILE", help="The guest's event log, as `replay` takes it.")
]
PlatformOption = Annotated[
    str | None,
    typer.Option(
        "--platform", "--machine", metavar="NAME", help="Of the reference. [default: the one that the quote fits]"
    ),
]
