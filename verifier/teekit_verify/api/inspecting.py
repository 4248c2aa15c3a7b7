"""Inspection: what any file is that this program reads, and what is in it. It never says whether that is acceptable."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.artifacts.boot_artifact import unpacked_input
from teekit_verify.artifacts.magic import ArtifactKind, artifact_kind, is_firmware
from teekit_verify.artifacts.pe import raw_end
from teekit_verify.artifacts.uki import uki_in
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.core.files import open_input
from teekit_verify.inspection.uki import uki_facts

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.appraisal.statements.shown import ShownStatement
    from teekit_verify.core.files import OpenedInput
    from teekit_verify.documents.identify import DocumentFacts
    from teekit_verify.evidence.files import Evidence
    from teekit_verify.inspection.disk import DiskFacts
    from teekit_verify.inspection.uki import UkiFacts
    from teekit_verify.prediction.firmware import FirmwareInspection
    from teekit_verify.reference.identify import PublishedFacts

    Inspected = UkiFacts | DiskFacts | FirmwareInspection | DocumentFacts | PublishedFacts | ShownStatement | Evidence

_PE_HEADERS_BYTES = 1 << 16


class FileKind(Enum):
    """What a file turns out to be. CUT_OFF: a UKI that ends before its sections do."""

    FOLDER = "folder"
    EMPTY = "empty"
    CUT_OFF = "cut off"
    UKI = "UKI"
    DISK = "disk"
    FIRMWARE = "firmware"
    QUOTE = "quote"
    LOG = "event log"
    REFERENCE = "reference"
    DOCUMENT = "document"
    STATEMENT = "statement"
    WEB_PAGE = "web page"


def inspect(
    path: Path,
) -> UkiFacts | DiskFacts | FirmwareInspection | DocumentFacts | PublishedFacts | ShownStatement | Evidence:
    """What is in a file, by its content; it is opened once. A new kind is one branch here.

    Raises TeekitError for a kind that is not known, and for malformed files.
    """
    with open_input(path) as file:
        try:
            artifact_kind(file)
        except UnsupportedInputError as error:
            return _inspect_other(file, error)
        return _inspect_artifact(file)


def _inspect_other(file: OpenedInput, no_artifact: UnsupportedInputError) -> Inspected:
    """Each recogniser is asked once; `no_artifact` is what is raised of a file that none knows."""
    if is_firmware(file):
        from teekit_verify.prediction.firmware import inspect_opened

        return inspect_opened(file)
    from teekit_verify.appraisal.statements.shown import inspect_statement, is_statement
    from teekit_verify.documents.identify import inspect_document, is_document
    from teekit_verify.evidence.files import evidence_in, holds_evidence
    from teekit_verify.reference.identify import inspect_published, is_published

    if is_document(file):
        return inspect_document(file)
    if is_published(file):
        return inspect_published(file)
    if is_statement(file):
        return inspect_statement(file)
    if not holds_evidence(file):
        raise no_artifact
    return evidence_in(file)


def _inspect_artifact(file: OpenedInput) -> UkiFacts | DiskFacts:
    with unpacked_input(file) as (inner, kind):
        if kind is ArtifactKind.UKI:
            with uki_in(inner) as uki:
                return uki_facts(inner.name, uki)
        from teekit_verify.artifacts.disk import opened_disk
        from teekit_verify.inspection.disk import inspect_disk

        with opened_disk(inner, kind, file) as disk:
            return inspect_disk(disk)


def identify(path: Path) -> FileKind | None:
    """What a file is, without reading all of it, for a command that expects another kind. None for what is not known or not there."""
    if path.is_dir():
        return FileKind.FOLDER
    if not path.is_file():
        return None
    if path.stat().st_size == 0:
        return FileKind.EMPTY
    try:
        with open_input(path) as file:
            return _kind(file)
    except TeekitError:
        return None


def _kind(file: OpenedInput) -> FileKind | None:
    for ask in (_web_page, _artifact, _firmware, _evidence, _document):
        try:
            if (found := ask(file)) is not None:
                return found
        except TeekitError:
            continue
    return None


def _web_page(file: OpenedInput) -> FileKind | None:
    return FileKind.WEB_PAGE if file.head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")) else None


def _artifact(file: OpenedInput) -> FileKind | None:
    kind = artifact_kind(file)
    if kind is ArtifactKind.PACKED:
        return None  # of what is in it
    return _program(file) if kind is ArtifactKind.UKI else FileKind.DISK


def _program(file: OpenedInput) -> FileKind | None:
    """Of what begins as a PE file does; None for one without a kernel, of which the reader's own error says more."""
    try:
        with uki_in(file):
            return FileKind.UKI
    except UnsupportedInputError:
        return None
    except TeekitError:
        end = raw_end(file.beginning(_PE_HEADERS_BYTES))
        if end is not None and end > file.size_bytes:
            return FileKind.CUT_OFF
        raise


def _firmware(file: OpenedInput) -> FileKind | None:
    return FileKind.FIRMWARE if is_firmware(file) else None


def _evidence(file: OpenedInput) -> FileKind | None:
    from teekit_verify.evidence.files import evidence_in, holds_evidence

    if not holds_evidence(file):
        return None
    found = evidence_in(file)
    if found.quote is not None:
        return FileKind.QUOTE
    return None if found.log is None else FileKind.LOG


def _document(file: OpenedInput) -> FileKind | None:
    from teekit_verify.appraisal.statements.shown import is_statement
    from teekit_verify.documents.identify import is_document, names_schema
    from teekit_verify.documents.model import MEASUREMENTS_SCHEMA
    from teekit_verify.reference.identify import is_published

    if names_schema(file, MEASUREMENTS_SCHEMA):
        return FileKind.DOCUMENT
    if is_published(file):
        return FileKind.REFERENCE
    if is_document(file):
        return FileKind.DOCUMENT
    return FileKind.STATEMENT if is_statement(file) else None
