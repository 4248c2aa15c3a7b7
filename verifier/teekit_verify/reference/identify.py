"""Which published format of reference values a file has, and what it is about. Signatures are not checked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import NotAuthenticError, TeekitError
from teekit_verify.reference.formats import recognise, source_in

if TYPE_CHECKING:
    from teekit_verify.core.files import OpenedInput


@dataclass(frozen=True, slots=True)
class PublishedFacts:
    """`images` are the names of what has reference values here; empty where only the holder of the root may say."""

    name: str
    size_bytes: int
    sha256: Digest
    format: str
    signed: bool
    images: tuple[str, ...]


def is_published(file: OpenedInput) -> bool:
    """Whether a file has the outermost fields of a published format."""
    try:
        recognise(source_in(file))
    except TeekitError:
        return False
    return True


def inspect_published(file: OpenedInput) -> PublishedFacts:
    """Raises TeekitError for a field that nobody knows."""
    source = source_in(file)
    found = recognise(source)
    digest = Digest.of(Algorithm.SHA256, source.data)
    try:
        images = tuple(values.name for values in found.read(source))
    except NotAuthenticError:
        return PublishedFacts(file.name, len(source.data), digest, found.name, signed=True, images=())
    return PublishedFacts(file.name, len(source.data), digest, found.name, signed=False, images=images)
