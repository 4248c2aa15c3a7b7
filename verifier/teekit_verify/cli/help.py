"""`teekit-verify help COMMAND`: what `COMMAND --help` shows."""

from __future__ import annotations

from typing import Annotated, Any

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
    from teekit_verify.cli.app import app, main

    command: Any = typer.main.get_command(app)
    for word in words or ():
        command = getattr(command, "commands", {}).get(word)
    if (
        command is not None and command.context_settings.get("help_option_names") == []
    ):  # its --help is another program's
        name = " ".join(("teekit-verify", *(words or ())))
        typer.echo(command.get_help(command.context_class(command, info_name=name)))
        return ExitStatus.HOLDS
    return main([*(words or ()), "--help"])
