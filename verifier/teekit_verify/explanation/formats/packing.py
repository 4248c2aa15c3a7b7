"""Initrds with equal entries: what differs in how they are packed."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.initrd import Member, plain_digest
from teekit_verify.artifacts.magic import Compression
from teekit_verify.explanation.formats.compressed import gzip_header, recompressed
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.explanation.pair import Pair


def compare_packing(pair: Pair, start: int, one: Sequence[Member], other: Sequence[Member]) -> Difference | None:
    """None if it is not the packing: plain archives, or other trailers and padding inside of them.

    `one` and `other` are the archives from `start` on: all before that are equal.
    """
    if not one and not other:
        sides = [blob.part(start, blob.size_bytes) for blob in (pair.a, pair.b)]
        return _padding(pair.name, *sides) if all(_is_zero(side, 0) for side in sides) else None
    if not any(member.compression for member in one) or plain_digest(pair.a, start) != plain_digest(pair.b, start):
        return None
    if [member.compression for member in one] != [member.compression for member in other]:
        return recompressed(pair, pair.name)
    children = tuple(_by_member(pair, start, one, other))
    if len(one) == len(children) == 1 and children[0].name == _name(1):
        return recompressed(pair, pair.name)
    return Difference(pair.name, Kind.CONTENT, "archive with equal entries", children=children)


def _by_member(pair: Pair, start: int, one: Sequence[Member], other: Sequence[Member]) -> Iterator[Difference]:
    before = [blob.part(start, members[0].start - start) for blob, members in ((pair.a, one), (pair.b, other))]
    if first_difference(*before) is not None:
        yield _padding("padding before the archives", *before)
    sides = (_parts(pair.a, one), _parts(pair.b, other))
    for number, (member, left, right) in enumerate(zip(one, *sides, strict=True), start=1):
        if (at := first_difference(left, right)) is None:
            continue
        inner = pair.inner(_name(number), left, right)
        headers = list(gzip_header(inner)) if member.compression is Compression.GZIP else []
        yield from headers
        if _is_zero(left, at) and _is_zero(right, at):
            yield _padding(
                f"padding after archive {number}", left.part(at, left.size_bytes), right.part(at, right.size_bytes)
            )
        elif not headers:
            yield recompressed(inner, inner.name)


def _name(number: int) -> str:
    return f"archive {number}"


def _parts(blob: Blob, members: Sequence[Member]) -> Iterator[Blob]:
    """Each with the zeros after it."""
    for start, stop in pairwise([*(member.start for member in members), blob.size_bytes]):
        yield blob.part(start, stop - start)


def _is_zero(blob: Blob, start: int) -> bool:
    return all(piece.count(0) == len(piece) for piece in blob.pieces(start))


def _padding(name: str, left: Blob, right: Blob) -> Difference:
    sizes = [f"{side.size_bytes} bytes more" for side in (left, right)]
    return Difference(
        name, Kind.CONTENT, "the same archives, with another number of zeros after them", sizes[0], sizes[1]
    )
