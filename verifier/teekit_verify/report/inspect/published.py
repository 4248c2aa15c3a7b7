"""Which published format of reference values a file has, and what it is about. Signatures are not checked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import NotAuthenticError, TeekitError
from teekit_verify.record.json_report import render
from teekit_verify.record.schema_names import INSPECTION_SCHEMA
from teekit_verify.reference.formats import read_source, recognise
from teekit_verify.report.layout import show_line, show_lines, styled

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.report.console import Console


@dataclass(frozen=True, slots=True)
class PublishedFacts:
    """`images` are the names of what has reference values here; empty where only the holder of the root may say."""

    name: str
    size_bytes: int
    sha256: Digest
    format: str
    signed: bool
    images: tuple[str, ...]


def is_published(path: Path) -> bool:
    """Whether a file has the outermost fields of a published format. False for what cannot be read."""
    try:
        recognise(read_source(path))
    except TeekitError:
        return False
    return True


def inspect_published(path: Path) -> PublishedFacts:
    """Raises TeekitError for a field that nobody knows."""
    source = read_source(path)
    found = recognise(source)
    digest = Digest.of(Algorithm.SHA256, source.data)
    try:
        images = tuple(values.name for values in found.read(source))
    except NotAuthenticError:
        return PublishedFacts(path.name, len(source.data), digest, found.name, signed=True, images=())
    return PublishedFacts(path.name, len(source.data), digest, found.name, signed=False, images=images)


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
