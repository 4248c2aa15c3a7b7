"""`-` in place of a file that is read: standard input, once, as /dev/stdin.

Parsers open, map and seek what they read, some of them twice, so what comes from a pipe is kept first, in memory while it is
small, else in a file without a name in TMPDIR. It takes the place of descriptor 0: every message names /dev/stdin.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from teekit_verify.cli.outputs import WRITTEN
from teekit_verify.core.errors import TeekitError, UnsupportedInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Command = Any
    """Typer's own class, which it does not publish."""

DASH, STANDARD_INPUT = Path("-"), Path("/dev/stdin")
_BY_NAME = frozenset({"boot", "local"})
"""QEMU opens the file of these itself."""
_OF_ARTIFACTS = frozenset(
    {("measure", "file"), ("inspect", "file"), ("compare", "file"), ("explain", "a"), ("explain", "b")}
)
MOST_ARTIFACT_BYTES = 64 << 30
MOST_BYTES = 1 << 30
"""Of what is no artifact: the largest is an initrd."""
_MOST_IN_MEMORY_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20


def with_standard_input(command: Command, values: Mapping[str, object]) -> dict[str, object]:
    """The values of a command's parameters, `-` replaced by what can be read. Raises TeekitError."""
    asking = [parameter for parameter in command.params if _asks(parameter, values.get(parameter.name))]
    if not asking:
        return dict(values)
    name = asking[0].name
    _require_one(command, asking, values)
    keep(MOST_ARTIFACT_BYTES if (command.name, name) in _OF_ARTIFACTS else MOST_BYTES)
    given = values[name]
    kept = (
        [STANDARD_INPUT if one == DASH else one for one in given] if isinstance(given, list | tuple) else STANDARD_INPUT
    )
    return {**values, name: kept}


def _asks(parameter: Any, given: object) -> bool:
    if parameter.name in WRITTEN or parameter.metavar == "DIR":
        return False
    return DASH in given if isinstance(given, list | tuple) else given == DASH


def _require_one(command: Command, asking: list[Any], values: Mapping[str, object]) -> None:
    if command.name in _BY_NAME:
        raise UnsupportedInputError(
            f"`{command.name}` takes no standard input: QEMU opens the file by its name", hint="Name a file."
        )
    dashes = [one for parameter in asking for one in _each(values[parameter.name]) if one == DASH]
    if len(dashes) > 1:
        raise TeekitError(
            "`-` is given twice, but standard input can be read only once", hint="Name a file for one of them."
        )


def _each(given: object) -> list[object]:
    return list(given) if isinstance(given, list | tuple) else [given]


def keep(most_bytes: int) -> None:
    """Make descriptor 0 a file that can be opened again as /dev/stdin. Raises TeekitError for a terminal, and for too much."""
    try:
        about = os.fstat(0)
        if os.isatty(0):
            raise TeekitError("standard input is a terminal", hint="Pipe the file into it: `command < FILE`.")
        if not (
            stat.S_ISREG(about.st_mode) and os.lseek(0, 0, os.SEEK_CUR) == 0 and os.access(STANDARD_INPUT, os.R_OK)
        ):
            with open(0, "rb", closefd=False) as stream, _kept(stream, most_bytes) as kept:
                os.dup2(kept.fileno(), 0)
    except OSError as error:
        raise TeekitError(
            f"standard input cannot be read: {error.strerror}",
            hint="Name a file, or point TMPDIR to a folder with free space.",
        ) from error


def _kept(stream: BinaryIO, most_bytes: int) -> BinaryIO:
    """A copy, which has no name and goes with its descriptor. Raises TeekitError for more than `most_bytes`, OSError."""
    kept: BinaryIO = os.fdopen(os.memfd_create("stdin"), "w+b")
    try:
        while chunk := stream.read(_CHUNK_BYTES):
            size_bytes = kept.tell() + len(chunk)
            _require_room(size_bytes, most_bytes)
            if kept.tell() <= _MOST_IN_MEMORY_BYTES < size_bytes:
                kept = _moved(kept)
            kept.write(chunk)
        kept.flush()
    except BaseException:
        kept.close()
        raise
    return kept


def _require_room(size_bytes: int, most_bytes: int) -> None:
    if size_bytes > most_bytes:
        raise TeekitError(f"standard input has more than {most_bytes} bytes", hint="Check what is piped into it.")


def _moved(kept: BinaryIO) -> BinaryIO:
    """From memory to a disk."""
    import tempfile

    with kept:
        file: Any = tempfile.TemporaryFile("w+b", prefix="teekit-stdin-")  # noqa: SIM115 - its reader closes it
        kept.seek(0)
        file.write(kept.read())
    return file  # type: ignore[no-any-return]
