"""What is in any file, for people and as JSON. A new kind is one case here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from teekit_verify.inspection.uki import UkiFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from teekit_verify.appraisal.statements.shown import ShownStatement
    from teekit_verify.documents.identify import DocumentFacts
    from teekit_verify.evidence.files import Evidence
    from teekit_verify.inspection.disk import DiskFacts
    from teekit_verify.prediction.firmware import FirmwareInspection
    from teekit_verify.reference.identify import PublishedFacts
    from teekit_verify.report.console import Console

    Facts = UkiFacts | DiskFacts | FirmwareInspection | DocumentFacts | PublishedFacts | ShownStatement | Evidence
    _Presenter = tuple[Callable[[Console], None], Callable[[], bytes]]


def show(facts: Facts, out: Console, *, events: bool) -> None:
    """`events`: of an event log, list them."""
    _presenter(facts, events=events)[0](out)


def render(facts: Facts, *, events: bool) -> bytes:
    """What `inspect --json` prints."""
    return _presenter(facts, events=events)[1]()


def _presenter(facts: Facts, *, events: bool) -> _Presenter:
    """What shows it, and what makes JSON of it. A UKI and firmware are shown without importing what the other kinds need."""
    if isinstance(facts, UkiFacts):
        from teekit_verify.report.inspect.uki import render_uki, show_uki

        return partial(show_uki, facts), partial(render_uki, facts)
    from teekit_verify.prediction.firmware import FirmwareInspection

    if isinstance(facts, FirmwareInspection):
        from teekit_verify.report.inspect.firmware import render_firmware, show_firmware

        return partial(show_firmware, facts), partial(render_firmware, facts)
    from teekit_verify.appraisal.statements.shown import ShownStatement
    from teekit_verify.documents.identify import DocumentFacts
    from teekit_verify.evidence.files import Evidence
    from teekit_verify.inspection.disk import DiskFacts
    from teekit_verify.reference.identify import PublishedFacts
    from teekit_verify.report import statement_report
    from teekit_verify.report.inspect.disk import render_disk, show_disk
    from teekit_verify.report.inspect.document import render_document, show_document
    from teekit_verify.report.inspect.evidence import render_evidence, show_evidence
    from teekit_verify.report.inspect.published import render_published_facts, show_published_facts

    match facts:
        case DiskFacts():
            return partial(show_disk, facts), partial(render_disk, facts)
        case DocumentFacts():
            return partial(show_document, facts), partial(render_document, facts)
        case PublishedFacts():
            return partial(show_published_facts, facts), partial(render_published_facts, facts)
        case ShownStatement():
            return partial(statement_report.show, facts), partial(statement_report.render, facts)
        case Evidence():
            return partial(show_evidence, facts, events=events), partial(render_evidence, facts, events=events)
