"""What a guest gave, as options of `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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
ImaOption = Annotated[
    Path | None,
    typer.Option(
        "--ima",
        metavar="FILE",
        help="The list of what IMA measured (ascii_runtime_measurements or binary_runtime_measurements), where RTMR2 has it too.",
    ),
]
SecureBootOption = Annotated[
    Literal["on", "off", "either"] | None,
    typer.Option(
        "--secure-boot",
        help="Whether it is on in the guest: with it on, systemd-stub up to 257 does not measure the kernel by itself. "
        "[default: as the evidence says]",
        show_default=False,
    ),
]
PlatformOption = Annotated[
    str | None,
    typer.Option(
        "--platform", "--machine", metavar="NAME", help="Of the reference. [default: the one that the quote fits]"
    ),
]
