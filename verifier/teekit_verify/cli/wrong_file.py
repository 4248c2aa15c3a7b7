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

    def words(self, path: Path, error: TeekitError) -> str:
        """With what the reader said, where that shows the place."""
        after = f" after {path.stat().st_size:,} bytes: {error.message}" if self is Given.CUT_OFF else ""
        return self.value[0] + after

    def hint(self, path: Path) -> str:
        return self.value[1].replace("{}", path.name)


ARTIFACTS = (Given.UKI, Given.DISK)


@contextmanager
def expecting(path: Path | None, *wanted: Given) -> Iterator[None]:
    """Around what reads `path`. An error there is told anew if the file is known, and is none of `wanted`."""
    try:
        yield
    except TeekitError as error:
        given = None if path is None else find_out(path)
        if path is None or given is None or given in wanted:
            raise
        raise UnsupportedInputError(f"{path} is {given.words(path, error)}", hint=given.hint(path)) from error


def find_out(path: Path) -> Given | None:
    """By content. None for what is not known, and for what is not there."""
    if path.is_dir():
        return Given.FOLDER
    if not path.is_file():
        return None
    if path.stat().st_size == 0:
        return Given.EMPTY
    for ask in (_artifact, _firmware, _evidence, _document):
        try:
            if (found := ask(path)) is not None:
                return found
        except TeekitError:
            continue
    return None


def _artifact(path: Path) -> Given | None:
    from teekit_verify.artifacts.disk import ArtifactKind, recognise

    kind = recognise(path)
    if kind is not ArtifactKind.UKI:
        return Given.DISK
    return _program(path)


def _program(path: Path) -> Given | None:
    """Of what begins as a PE file does; None for one without a kernel, of which the reader's own error says more."""
    from teekit_verify.artifacts.pe import raw_end
    from teekit_verify.artifacts.uki import open_uki
    from teekit_verify.core.files import read_beginning

    try:
        with open_uki(path):
            return Given.UKI
    except UnsupportedInputError:
        return None
    except TeekitError:
        end = raw_end(read_beginning(path, 1 << 16))
        if end is not None and end > path.stat().st_size:
            return Given.CUT_OFF
        raise


def _firmware(path: Path) -> Given | None:
    from teekit_verify.artifacts.tdvf import is_tdvf

    return Given.FIRMWARE if is_tdvf(path) else None


def _evidence(path: Path) -> Given | None:
    from teekit_verify.evidence.files import is_evidence, read_evidence

    if not is_evidence(path):
        return None
    found = read_evidence(path)
    if found.quote is not None:
        return Given.QUOTE
    return None if found.log is None else Given.LOG


def _document(path: Path) -> Given | None:
    from teekit_verify.core.files import read_beginning
    from teekit_verify.documents.model import MEASUREMENTS_SCHEMA
    from teekit_verify.report.inspect.document import is_document
    from teekit_verify.report.inspect.published import is_published

    if is_document(path) and MEASUREMENTS_SCHEMA.encode() in read_beginning(path, 512):
        return Given.DOCUMENT
    if is_published(path):
        return Given.REFERENCE
    return Given.DOCUMENT if is_document(path) else None
