"""`teekit-verify help COMMAND`: what `COMMAND --help` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.outcome import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    Context = Any
    """Typer's own class, which it does not publish."""


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

    command = command_named(words or ()).command
    if command.context_settings.get("help_option_names") == []:  # its --help is another program's
        name = " ".join(("teekit-verify", *(words or ())))
        typer.echo(command.get_help(command.context_class(command, info_name=name)))
        return ExitStatus.HOLDS
    return main([*(words or ()), "--help"])


def command_named(words: Sequence[str]) -> Context:
    """Where the command stands, in its group. Raises what running it would for a word that is none, with those that are near."""
    from teekit_verify.cli.app import app

    root: Any = typer.main.get_command(app)
    context = root.context_class(root, info_name="teekit-verify", **root.context_settings)
    for at, word in enumerate(words):
        group = context.command
        if not hasattr(group, "commands"):
            raise TeekitError(
                f"`{' '.join(words[:at])}` has no commands of its own, so no '{printable(word)}'",
                hint="Leave that word out.",
            )
        _, command, _ = group.resolve_command(context, [word])
        context = command.context_class(command, info_name=word, parent=context, **command.context_settings)
    return context
