"""PE images, UKIs above all: section by section, then what lies outside of sections."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.fields import Field
from teekit_verify.artifacts.pe import PeImage, PeSection, Span, parse_pe
from teekit_verify.explanation import raw
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats.numbered import numbered
from teekit_verify.explanation.pair import SectionName
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_CODE = frozenset({".text", ".linux"})
_HEADERS = "PE headers"
_TIME_OFFSET = 8
"""TimeDateStamp, from the PE signature on (Microsoft "PE Format", COFF File Header)."""


def is_pe(beginning: bytes) -> bool:
    return beginning.startswith(b"MZ")


def compare_pes(examination: Examination, pair: Pair) -> Difference | None:
    """Raises TeekitError if one of them is damaged."""
    one, other = _image(pair.a, pair.name), _image(pair.b, pair.name)
    children = [*_sections(examination, pair, one, other), *_headers(examination, pair, one, other)]
    if not children:
        return None
    kind = "UKI" if any(section.name == ".linux" for section in one.sections) else "PE image"
    return Difference(pair.name, Kind.CONTENT, kind, *pair.sizes, children=tuple(children))


def _image(blob: Blob, what: str) -> PeImage:
    with blob.view() as view:
        return parse_pe(view, what=what)


def _sections(examination: Examination, pair: Pair, one: PeImage, other: PeImage) -> Iterator[Difference]:
    first, second = numbered(one.sections), numbered(other.sections)  # profiles of a UKI repeat names
    for key in dict.fromkeys([*first, *second]):
        name = SectionName.of(*key)
        if key not in first or key not in second:
            yield Difference(name, Kind.PRESENCE, f"only in {'A' if key in first else 'B'}", section=key[0])
            continue
        inner = pair.inner(name, _part(pair.a, first[key].content), _part(pair.b, second[key].content))
        if first_difference(inner.a, inner.b) is not None:
            found = replace(examination.compare(inner), section=key[0])
            yield replace(found, is_code=True) if key[0] in _CODE and not found.children else found
        tails = [_part(blob, _tail(rows[key])) for blob, rows in ((pair.a, first), (pair.b, second))]
        if first_difference(*tails) is not None and tails[0].size_bytes == tails[1].size_bytes:
            yield raw.compare_bytes(pair.inner(f"padding of {name}", *tails), examination.conditions)
    orders = [[key for key in keys if key in first and key in second] for keys in (first, second)]
    if orders[0] != orders[1]:
        names = [", ".join(key[0] for key in order) for order in orders]
        yield Difference("order of the sections", Kind.ORDER, "the same sections in another order", names[0], names[1])


def _headers(examination: Examination, pair: Pair, one: PeImage, other: PeImage) -> Iterator[Difference]:
    """A time stamp and a checksum by name; headers, signatures and what follows the sections byte by byte."""
    times = [_time_stamp(blob) for blob in (pair.a, pair.b)]
    if times[0] != times[1]:
        told = [f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC" for time in times]
        causes = causes_of([Sighting(pair.path, where=Field.PE_TIME)])
        yield Difference("PE time stamp", Kind.METADATA, "the headers name different times", told[0], told[1], causes)
    same_shape = [*map(_shape, one.sections)] == [*map(_shape, other.sections)]
    outside = [
        ("padding and what follows the sections", _rest(pair.a, one), _rest(pair.b, other)),
        (SectionName.of_signatures(), _part(pair.a, one.certificates), _part(pair.b, other.certificates)),
    ]
    if same_shape:  # otherwise it follows from what was told
        outside += _other_headers(pair, one, other)
    for name, left, right in outside:
        if first_difference(left, right) is not None:
            inner = pair.inner(name, left, right)
            yield raw.compare_bytes(inner, examination.conditions, is_code=name == _HEADERS)


def _other_headers(pair: Pair, one: PeImage, other: PeImage) -> Iterator[tuple[str, Blob, Blob]]:
    """Without the time, which is told, and the checksum: that follows from all other bytes, and is told where they are equal."""
    sides = [(blob.part(0, image.header_bytes), image.checksum) for blob, image in ((pair.a, one), (pair.b, other))]
    parts = [list(_around(blob, (_time_span(blob), checksum))) for blob, checksum in sides]
    if any(first_difference(left, right) is not None for left, right in zip(*parts, strict=True)):
        yield _HEADERS, sides[0][0], sides[1][0]
    elif (
        pair.a.size_bytes == pair.b.size_bytes
        and _time_stamp(pair.a) == _time_stamp(pair.b)
        and _equal_after_headers(pair, one)
    ):
        yield "PE checksum", _part(pair.a, one.checksum), _part(pair.b, other.checksum)


def _around(blob: Blob, spans: tuple[Span, Span]) -> Iterator[Blob]:
    """What is left of the blob without these, which are in order."""
    at = 0
    for span in spans:
        yield blob.part(at, span.start - at)
        at = span.stop
    yield blob.part(at, blob.size_bytes)


def _equal_after_headers(pair: Pair, image: PeImage) -> bool:
    rest = [blob.part(image.header_bytes, blob.size_bytes) for blob in (pair.a, pair.b)]
    return first_difference(*rest) is None


def _time_stamp(blob: Blob) -> int:
    span = _time_span(blob)
    return int.from_bytes(blob.read(span.start, span.size_bytes), "little")


def _time_span(blob: Blob) -> Span:
    start = int.from_bytes(blob.read(0x3C, 4), "little") + _TIME_OFFSET
    return Span(start, start + 4)


def _rest(blob: Blob, image: PeImage) -> Blob:
    """From the end of the last section to the signature."""
    start = max((section.raw_offset + section.raw_size for section in image.sections), default=image.header_bytes)
    stop = image.certificates.start if image.certificates else blob.size_bytes
    return _part(blob, Span(start, max(start, stop)))


def _part(blob: Blob, span: Span | None) -> Blob:
    return blob.part(span.start, span.size_bytes) if span else blob.part(0, 0)


def _tail(section: PeSection) -> Span:
    """What fills the section up to a multiple of the file alignment; its length follows from that of the content."""
    return Span(section.raw_offset + section.virtual_size, section.raw_offset + section.raw_size)


def _shape(section: PeSection) -> tuple[str, int, int]:
    return section.name, section.virtual_size, section.raw_size
