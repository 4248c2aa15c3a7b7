"""Reference values in other people's formats, for people and as JSON: which format, and what they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.record.json_report import render
from teekit_verify.record.schema_names import INSPECTION_SCHEMA
from teekit_verify.report.layout import show_line, show_lines, styled

if TYPE_CHECKING:
    from teekit_verify.reference.identify import PublishedFacts
    from teekit_verify.report.console import Console


def show_published_facts(facts: PublishedFacts, out: Console) -> None:
    show_line(out, styled(facts.name, "bold"), f", {facts.size_bytes} bytes")
    show_line(out, f"sha256 {facts.sha256.hex}")
    show_line(out, "reference values: ", styled(facts.format))
    if facts.signed:
        show_line(out, "signed, not checked: `reference show --google-root` does")
    show_lines(facts.images, out)


def render_published_facts(facts: PublishedFacts) -> bytes:
    """What `inspect --json` prints for reference values in other people's formats."""
    return render({"schema": INSPECTION_SCHEMA}, facts)
