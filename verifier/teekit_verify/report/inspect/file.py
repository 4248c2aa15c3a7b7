"""What any file is that this program reads, found out by content. A new kind is one branch here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from teekit_verify.artifacts.disk import ArtifactKind, recognise
from teekit_verify.artifacts.tdvf import is_tdvf
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.evidence.files import is_evidence, read_evidence
from teekit_verify.inspection.uki import inspect_uki
from teekit_verify.prediction.firmware import inspect_firmware
from teekit_verify.record import json_report
from teekit_verify.report import terminal
from teekit_verify.report.inspect import disk as disk_inspection
from teekit_verify.report.inspect import document as document_inspection
from teekit_verify.report.inspect import evidence as evidence_report
from teekit_verify.report.inspect import firmware as firmware_report
from teekit_verify.report.inspect import published as published_inspection

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from teekit_verify.report.console import Console


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file that was read: for people, and as JSON."""

    show: Callable[[Console], None]
    render: Callable[[], bytes]


def inspect_file(path: Path, *, events: bool = False) -> Inspected:
    """`events`: of an event log, list them. Raises TeekitError for a kind that is not known, and for malformed files."""
    kind = _kind(path)
    if kind is ArtifactKind.UKI:
        facts = inspect_uki(path)
        return Inspected(partial(terminal.show_inspection, facts), partial(json_report.render_inspection, facts))
    if kind is not None:
        disk = disk_inspection.inspect_disk(path)
        return Inspected(partial(disk_inspection.show_disk, disk), partial(disk_inspection.render_disk, disk))
    if is_tdvf(path):
        firmware = inspect_firmware(path)
        return Inspected(
            partial(firmware_report.show_firmware, firmware), partial(firmware_report.render_firmware, firmware)
        )
    if document_inspection.is_document(path):
        document = document_inspection.inspect_document(path)
        return Inspected(
            partial(document_inspection.show_document, document), partial(document_inspection.render_document, document)
        )
    if published_inspection.is_published(path):
        published = published_inspection.inspect_published(path)
        return Inspected(
            partial(published_inspection.show_published_facts, published),
            partial(published_inspection.render_published_facts, published),
        )
    evidence = read_evidence(path)
    return Inspected(
        partial(evidence_report.show_evidence, evidence, events=events),
        partial(evidence_report.render_evidence, evidence, events=events),
    )


def _kind(path: Path) -> ArtifactKind | None:
    """UKI or disk; None for another kind that is known."""
    try:
        return recognise(path)
    except UnsupportedInputError:
        if is_tdvf(path) or document_inspection.is_document(path) or is_evidence(path):
            return None
        if published_inspection.is_published(path):
            return None
        raise
