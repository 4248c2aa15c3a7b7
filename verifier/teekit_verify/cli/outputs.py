"""What a command is to write, looked at before it does anything: an output that is one of its inputs would be gone
afterwards, and one that cannot be written would cost all the work.
"""

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
_FOLDERS = frozenset({"workspace", "outdir", "rebuilderd_link", "sigstore_bundle", "verification_summary"})
"""Those that name only folders, which may be the same one."""
_BACKENDS = "rebuilderd", "backend"
"""Its --output has another name inside."""
_MAKING_FOLDERS = frozenset({("lock",), ("env", "lock")})
"""Commands that also make the folder of the file they write."""


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


def require_writable_outputs(command: Command, words: tuple[str, ...], values: Mapping[str, object]) -> None:
    """Raises TeekitError where an output could not be written now. `words` are the names of the command."""
    written = WRITTEN | _FOLDERS | ({"folder"} if words == _BACKENDS else frozenset())
    for one in command.params:
        for path in _files(values.get(one.name)) if one.name in written else ():
            from teekit_verify.core.files import require_writable, require_writable_folder

            if one.metavar == "DIR":
                if os.path.exists(path) and not path.is_dir():  # noqa: PTH110 - of a name that is too long, exists() raises
                    raise TeekitError(
                        f"{printable(str(path))} is not a folder", hint=f"Name a new folder with {one.opts[-1]} DIR."
                    )
                require_writable_folder(path)
            elif words in _MAKING_FOLDERS and not path.parent.exists():
                require_writable_folder(path.parent)
            else:
                require_writable(path)


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
