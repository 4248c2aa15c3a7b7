"""An output that is one of the inputs: refused before anything is read, as the file would be gone afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WRITTEN = ("--html", "--sarif", "--output", "-o")
"""Options whose value is a file that is written, of every command."""
_ADD = ("reference", "add")
"""Adds to a reference, which it reads first: its output may be that file."""


def require_inputs_stay(argv: Sequence[str]) -> None:
    """Raises TeekitError where a file that is to be written is another argument too, by whatever name or link.

    What is not a regular file (a folder, a pipe, /dev/null) may be both.
    """
    if tuple(argv[:2]) == _ADD:
        return
    outputs = dict(_outputs(argv))
    for at, (option, name) in outputs.items():
        for other, word in enumerate(argv):
            if other not in outputs and other != at - 1 and _is_same_file(name, word):
                raise TeekitError(
                    f"{option} {name}: is a file that this command reads, and would be overwritten",
                    hint=f"Name another file with {option}.",
                )


def _outputs(argv: Sequence[str]) -> Iterator[tuple[int, tuple[str, str]]]:
    """The place of each value in `argv`, with its option."""
    for at, word in enumerate(argv):
        option, equals, value = word.partition("=")
        if equals and option in _WRITTEN:
            yield at, (option, value)
        elif word in _WRITTEN and at + 1 < len(argv):
            yield at + 1, (word, argv[at + 1])


def _is_same_file(name: str, word: str) -> bool:
    value = word.partition("=")[2] if word.startswith("--") else word
    try:
        return bool(value) and Path(name).is_file() and Path(name).samefile(value)
    except (OSError, ValueError):  # no such file, or no name of one
        return False
