"""`teekit-verify help COMMAND`: what `COMMAND --help` shows."""

from __future__ import annotations

from typing import Annotated

import typer

from teekit_verify.core.outcome import ExitStatus


def show_help(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="COMMAND", help="The command, in its one or two words. [default: all]", show_default=False
        ),
    ] = None,
) -> ExitStatus:
    """Show the help of a command, as its --help does."""
    from teekit_verify.cli.app import main

    return main([*(words or ()), "--help"])
