"""Another file than the one that is meant: names what was given, and the command that is for it.

Asked only after a command could not read its file, so a right file costs nothing. It decides nothing: exit status 2 stays.
"""

from __future__ import annotations

from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError, UnsupportedInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Given(Enum):
    """What a file is, and what to do with it (`{}` is its path)."""

    FOLDER = "a folder", "Name a file in it."
    EMPTY = "empty", "Fetch or write it again."
    CUT_OFF = "cut off", "Fetch it again, and compare its size."
    UKI = "a UKI", "Use `measure {}`, `inspect {}`, or `compare REF {}`."
    DISK = "a disk image", "Use `measure {}`, `inspect {}`, or `compare REF {}`."
    FIRMWARE = "TDX firmware", "Use `measure {}`, or `--firmware {}`."
    QUOTE = "a TDX quote", "Use `quote {}`, or `compare REF --quote {}`."
    LOG = "an event log", "Use `replay {}`, or `compare REF --quote QUOTE --eventlog {}`."
    REFERENCE = "a file of reference values", "Put it first: `compare {} FILE`; `reference show {}` shows it."
    DOCUMENT = "a JSON document of this program", "Use `inspect {}`: it says which."
    STATEMENT = "the statement of an auditor", "Use `attest show {}`, or count it with `attest verify`."
    WEB_PAGE = "a web page", "Fetch the file itself: a server answered with a page in its place."
    TABLE = "the ACPI table of a CCEL", "Give it with --table."
    IMA = "IMA's measurement list", "Give it with --ima."

    def words(self, path: Path, error: TeekitError) -> str:
        """With what the reader said, where that shows the place."""
        after = f" after {path.stat().st_size:,} bytes: {error.message}" if self is Given.CUT_OFF else ""
        return self.value[0] + after

    def hint(self, path: Path) -> str:
        return self.value[1].replace("{}", path.name)


ARTIFACTS = (Given.UKI, Given.DISK)
REFERENCES = (Given.REFERENCE, Given.DOCUMENT)


@contextmanager
def expecting(path: Path | None, *wanted: Given) -> Iterator[None]:
    """Around what reads `path`. An error there is told anew if the file is known, and is none of `wanted`; of one that is
    not known, the hint says what was expected.
    """
    try:
        yield
    except TeekitError as error:
        given = None if path is None else find_out(path)
        if path is not None and given is None and error.hint is None:
            error.hint = f"Check that {path} is {wanted[0].value[0]}."
        if path is None or given is None or given in wanted:
            raise
        raise UnsupportedInputError(f"{path} is {given.words(path, error)}", hint=given.hint(path)) from error


def find_out(path: Path) -> Given | None:
    """By content. None for what is not known, and for what is not there."""
    from teekit_verify import api

    kind = api.identify(path)
    return None if kind is None else Given[kind.name]
