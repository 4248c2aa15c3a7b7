"""What is in any file, for people and as JSON. A new kind is one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.appraisal.statements.shown import ShownStatement
from teekit_verify.documents.identify import DocumentFacts
from teekit_verify.evidence.files import Evidence
from teekit_verify.inspection.disk import DiskFacts
from teekit_verify.inspection.uki import UkiFacts
from teekit_verify.prediction.firmware import FirmwareInspection
from teekit_verify.record import json_report
from teekit_verify.reference.identify import PublishedFacts
from teekit_verify.report import statement_report, terminal
from teekit_verify.report.inspect.disk import render_disk, show_disk
from teekit_verify.report.inspect.document import render_document, show_document
from teekit_verify.report.inspect.evidence import render_evidence, show_evidence
from teekit_verify.report.inspect.firmware import render_firmware, show_firmware
from teekit_verify.report.inspect.published import render_published_facts, show_published_facts

if TYPE_CHECKING:
    from teekit_verify.report.console import Console

    Facts = UkiFacts | DiskFacts | FirmwareInspection | DocumentFacts | PublishedFacts | ShownStatement | Evidence


def show(facts: Facts, out: Console, *, events: bool) -> None:
    """`events`: of an event log, list them."""
    match facts:
        case UkiFacts():
            terminal.show_inspection(facts, out)
        case DiskFacts():
            show_disk(facts, out)
        case FirmwareInspection():
            show_firmware(facts, out)
        case DocumentFacts():
            show_document(facts, out)
        case PublishedFacts():
            show_published_facts(facts, out)
        case ShownStatement():
            statement_report.show(facts, out)
        case Evidence():
            show_evidence(facts, out, events=events)


def render(facts: Facts, *, events: bool) -> bytes:
    """What `inspect --json` prints."""
    match facts:
        case UkiFacts():
            return json_report.render_inspection(facts)
        case DiskFacts():
            return render_disk(facts)
        case FirmwareInspection():
            return render_firmware(facts)
        case DocumentFacts():
            return render_document(facts)
        case PublishedFacts():
            return render_published_facts(facts)
        case ShownStatement():
            return statement_report.render(facts)
        case Evidence():
            return render_evidence(facts, events=events)
