"""The commands of the command line, as Typer knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from teekit_verify.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    Command = Any
    """Typer's own classes, which it does not publish: `params`, and of a group `commands`, by name."""


def commands() -> dict[tuple[str, ...], Command]:
    """All of them by their words, groups and the whole program (no words) too."""
    return dict(_below((), typer.main.get_command(app)))


def options_of(command: Command) -> set[str]:
    """`-h` and `--help` are everywhere."""
    return {"-h", "--help"} | {
        word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)
    }


def _below(words: tuple[str, ...], command: Command) -> Iterator[tuple[tuple[str, ...], Command]]:
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _below((*words, name), inner)
