"""Options of the commands that audit releases and that watch over what auditors said."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

StatementsOption = Annotated[
    Path,
    typer.Option(
        "--statements",
        metavar="DIR",
        help="The repository of statements: RELEASE/AUDITOR.intoto.jsonl, keys/AUDITOR.pem.",
        exists=True,
        file_okay=False,
    ),
]
AuditorOption = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Your name as an auditor: letters, digits, '-' and '_'.")
]
ReferencesOption = Annotated[
    Path | None,
    typer.Option(
        "--references",
        metavar="DIR",
        help="The folder of releases. [default: reference/releases]",
        exists=True,
        file_okay=False,
        show_default=False,
    ),
]
