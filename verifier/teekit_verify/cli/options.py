"""Options that several commands share, so that they read and behave the same everywhere."""

from __future__ import annotations

from typing import Annotated

import typer

DEBUG_FLAG = "--debug"

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
DebugOption = Annotated[bool, typer.Option(DEBUG_FLAG, help="Show a traceback when something goes wrong.")]
