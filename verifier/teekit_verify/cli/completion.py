"""`teekit-verify completion SHELL`: what makes a shell complete commands, options and their values."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from teekit_verify.core.outcome import ExitStatus


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> ExitStatus:
    """Print a script that completes commands and options in a shell.

    For bash: `source <(teekit-verify completion bash)`, in ~/.bashrc to have it always.
    """
    import typer.completion

    from teekit_verify.cli.app import COMPLETING

    make = typer.completion.get_completion_script  # type: ignore[attr-defined]
    typer.echo(make(prog_name="teekit-verify", complete_var=COMPLETING, shell=shell))
    return ExitStatus.HOLDS
