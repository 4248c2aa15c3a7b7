"""What every command has without naming it: `-` for standard input, `--quiet` beside `--json`, `-o` for `--output`, and no
output that is an input, or that cannot be written.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from teekit_verify.cli.outputs import require_inputs_stay, require_writable_outputs
from teekit_verify.cli.standard_input import with_standard_input
from teekit_verify.report.console import OUTCOME_ONLY

Command = Any
"""Typer's own class, which it does not publish."""
_ADD = "reference", "add"
"""Reads the reference that it adds to: its output may be that file."""


def prepare(command: Command, group: tuple[str, ...] = ()) -> None:
    """A command, or all of a group; `group` are the names above its own."""
    words = (*group, command.name)
    for inner in getattr(command, "commands", {}).values():
        prepare(inner, words)
    names = [parameter.name for parameter in command.params]
    if "json_output" in names:
        beside = names.index("json_output")
        command.params.insert(beside + 1, _quiet_option(command.params[beside]))
    for parameter in command.params:
        if parameter.opts == ["--output"]:
            parameter.opts = ["-o", "--output"]
    if command.callback is not None:
        command.callback = _prepared(command, command.callback, words)


def _prepared(command: Command, callback: Any, words: tuple[str, ...]) -> Any:
    def run(**values: object) -> object:
        is_quiet = bool(values.pop("quiet", False))
        if is_quiet and (other := next((one for one in _WHOLE if values.get(one)), None)):
            raise typer.BadParameter(f"--quiet and --{other.removesuffix('_output')} cannot be used together")
        if words != _ADD:
            require_inputs_stay(command, values)
        require_writable_outputs(command, words, values)
        token = OUTCOME_ONLY.set(is_quiet)
        try:
            return callback(**with_standard_input(command, values))
        finally:
            OUTCOME_ONLY.reset(token)

    return run


_WHOLE = ("json_output", "markdown")


def _quiet_option(beside: Any) -> Any:
    """As Typer makes it of a function's parameter; in the help under the same heading as `beside`."""
    alone = typer.Typer(add_completion=False)

    @alone.command()
    def command(
        quiet: Annotated[
            bool, typer.Option("--quiet", "-q", help="Print the line of the outcome only, and no progress.")
        ] = False,
    ) -> None:
        pass

    option: Any = next(one for one in typer.main.get_command(alone).params if one.name == "quiet")
    option.rich_help_panel = beside.rich_help_panel
    return option
