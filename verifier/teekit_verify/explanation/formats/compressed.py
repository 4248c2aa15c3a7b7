"""Compressed files that are no initrd: the header of gzip, and what all their members unpack to."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.compressed import Budget, Unpacked, is_packed
from teekit_verify.artifacts.fields import Field
from teekit_verify.artifacts.magic import COMPRESSION_MAGIC_BYTES, Compression
from teekit_verify.core.frozen import frozen
from teekit_verify.explanation import raw
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_READ_BYTES = 1 << 18
_NAME_FLAG = 8
_MAX_NAME_BYTES = 512


def is_compressed(beginning: bytes) -> bool:
    return is_packed(beginning[:COMPRESSION_MAGIC_BYTES])


def compare_compressed(examination: Examination, pair: Pair) -> Difference | None:
    """Raises TeekitError if one of them is damaged, or if something follows what is compressed."""
    one, other = (_unpack(examination, blob, "file") for blob in (pair.a, pair.b))
    children = list(gzip_header(pair)) if one.compression is other.compression is Compression.GZIP else []
    if one.compression is not other.compression:
        names = [side.compression.value for side in (one, other)]
        causes = causes_of([Sighting(pair.path, where=Field.COMPRESSION)])
        children.append(
            Difference("compression", Kind.METADATA, "compressed in different ways", names[0], names[1], causes)
        )
    elif _digests(one.skipped) != _digests(other.skipped):
        counts = [f"{len(side.skipped)} frames" for side in (one, other)]
        children.append(
            Difference("skippable frames", Kind.METADATA, "what zstd passes over differs", counts[0], counts[1])
        )
    if first_difference(one.content, other.content) is not None:
        children.append(examination.compare(pair.inner("content", one.content, other.content)))
    if not children:
        return recompressed(pair, pair.name)
    return Difference(pair.name, Kind.CONTENT, "compressed file", children=tuple(children))


@frozen
class _Side:
    compression: Compression
    content: Blob
    skipped: tuple[Blob, ...]


def _unpack(examination: Examination, blob: Blob, what: str) -> _Side:
    spool = examination.spool()
    stream = Unpacked(blob, Budget(spool.left_bytes), what)
    content = spool.keep(iter(lambda: stream.read(_READ_BYTES), b""))
    return _Side(stream.compression, content, tuple(stream.skipped))


def _digests(frames: tuple[Blob, ...]) -> list[bytes]:
    digests = []
    for frame in frames:
        state = hashlib.sha256()
        for piece in frame.pieces():
            state.update(piece)
        digests.append(state.digest())
    return digests


def laid_out(pair: Pair) -> Difference:
    """The disk that a file holds is equal, and what differs belongs to none of it: shown by its first bytes, as nothing explains it."""
    what = "the disk inside is equal; where its parts lie in the file, or what lies between them, differs"
    found = raw.compare_bytes(pair, (), is_code=True)
    return replace(found, what=what, causes=())


def recompressed(pair: Pair, name: str) -> Difference:
    """What `name` in the pair packs is equal, and only packed in another way."""
    causes = causes_of([Sighting(pair.path, where=Field.COMPRESSION)])
    return Difference(name, Kind.CONTENT, "packed in another way, what it unpacks to is equal", causes=causes)


def gzip_header(pair: Pair) -> Iterator[Difference]:
    """RFC 1952, 2.3: time, name, operating system."""
    one, other = (blob.read(0, 10 + _MAX_NAME_BYTES) for blob in (pair.a, pair.b))
    for name, what, left, right in (
        ("gzip time stamp", Field.GZIP_MTIME, _time(one), _time(other)),
        ("gzip file name", Field.GZIP_NAME, _name(one), _name(other)),
        ("gzip flags and system", Field.GZIP_SYSTEM, one[8:10].hex(), other[8:10].hex()),
    ):
        if left != right:
            causes = causes_of([Sighting(pair.path, where=what, a=left, b=right)])
            yield Difference(name, Kind.METADATA, "the headers differ", left, right, causes)


def _time(header: bytes) -> str:
    stamp = int.from_bytes(header[4:8], "little")
    return f"{datetime.fromtimestamp(stamp, UTC):%Y-%m-%d %H:%M:%S} UTC" if stamp else "none"


def _name(header: bytes) -> str:
    return header[10:].split(b"\0", 1)[0].decode("latin-1") if header[3] & _NAME_FLAG else ""


def unpacked(examination: Examination, blob: Blob, what: str) -> Blob:
    """What it unpacks to, all members; a blob that is not compressed, as it is. Raises TeekitError."""
    beginning = blob.read(0, COMPRESSION_MAGIC_BYTES)
    if not is_packed(beginning):
        return blob
    return _unpack(examination, blob, what).content
