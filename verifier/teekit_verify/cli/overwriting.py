"""An output that is one of the inputs: refused before anything is read, as the file would be gone afterwards."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teekit_verify.core.errors import TeekitError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Command = Any
    """Typer's own class, which it does not publish."""

WRITTEN = frozenset({"output", "html", "sarif", "save_log"})
"""Parameters that name what is written, of every command."""


def require_inputs_stay(command: Command, values: Mapping[str, object]) -> None:
    """Raises TeekitError where a file that is to be written is another argument too, by whatever name or link.

    What is not a regular file (a folder, a pipe, /dev/null) may be both. `values` are those of the parameters.
    """
    named = [(one, file) for one in command.params for file in _files(values.get(one.name))]
    outputs = [(one.opts[-1], file) for one, file in named if one.name in WRITTEN]
    inputs = [file for one, file in named if one.name not in WRITTEN]
    for at, (option, output) in enumerate(outputs):
        if any(_is_same_file(output, file) for file in inputs):
            raise TeekitError(
                f"{option} {printable(str(output))}: is a file that this command reads, and would be overwritten",
                hint=f"Name another file with {option}.",
            )
        for other, file in outputs[:at]:
            if _is_same_place(output, file):
                raise TeekitError(
                    f"{other} and {option} name the same file: {printable(str(output))}",
                    hint=f"Name another file with {option}.",
                )


def _files(value: object) -> Iterator[Path]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _files(one)
    elif isinstance(value, str | Path) and str(value):
        yield Path(value)


def _is_same_file(output: Path, file: Path) -> bool:
    try:
        return output.is_file() and output.samefile(file)
    except (OSError, ValueError):  # no such file, or no name of one
        return False


def _is_same_place(output: Path, other: Path) -> bool:
    """Of two that are written: there may be no file yet."""
    if not output.exists():
        return os.path.realpath(output) == os.path.realpath(other)
    return _is_same_file(output, other)
