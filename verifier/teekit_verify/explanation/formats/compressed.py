"""Compressed files that are no initrd: the header of gzip, and what they unpack to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from teekit_verify.artifacts import cpio
from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.compressed import (
    MAGIC_BYTES,
    Budget,
    Compression,
    Decompressed,
    compression_of,
    require_readable,
)
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
    return compression_of(beginning[:MAGIC_BYTES]) is not None


def compare_compressed(examination: Examination, pair: Pair) -> Difference | None:
    """Raises TeekitError if one of them is damaged."""
    forms = [compression_of(blob.read(0, MAGIC_BYTES)) for blob in (pair.a, pair.b)]
    children = list(gzip_header(pair)) if forms[0] is forms[1] is Compression.GZIP else []
    if forms[0] != forms[1]:
        names = [form.value for form in forms if form]
        causes = causes_of([Sighting(pair.path, where="compression")])
        children.append(
            Difference("compression", Kind.METADATA, "compressed in different ways", names[0], names[1], causes)
        )
    contents = [unpacked(examination, blob, "file") for blob in (pair.a, pair.b)]
    if first_difference(*contents) is not None:
        # Archives were looked into before, as those of an initrd: what that could not do, it would not do now.
        is_archive = all(blob.read(0, MAGIC_BYTES) in cpio.MAGIC for blob in contents)
        compare = examination.compare_bytes if is_archive else examination.compare
        children.append(compare(pair.inner("content", *contents)))
    if not children:
        return recompressed(pair, pair.name)
    return Difference(pair.name, Kind.CONTENT, "compressed file", children=tuple(children))


def recompressed(pair: Pair, name: str) -> Difference:
    """What `name` in the pair packs is equal, and only packed in another way."""
    causes = causes_of([Sighting(pair.path, where="compression")])
    return Difference(name, Kind.CONTENT, "packed in another way, what it unpacks to is equal", causes=causes)


def gzip_header(pair: Pair) -> Iterator[Difference]:
    """RFC 1952, 2.3: time, name, operating system."""
    one, other = (blob.read(0, 10 + _MAX_NAME_BYTES) for blob in (pair.a, pair.b))
    for name, what, left, right in (
        ("gzip time stamp", "gzip mtime", _time(one), _time(other)),
        ("gzip file name", "gzip name", _name(one), _name(other)),
        ("gzip flags and system", "gzip system", one[8:10].hex(), other[8:10].hex()),
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
    """What the member at the beginning unpacks to; a blob that is not compressed, as it is. Raises TeekitError."""
    beginning = blob.read(0, MAGIC_BYTES)
    form = compression_of(beginning)
    if form is None:
        require_readable(beginning, what)
        return blob
    spool = examination.spool()
    stream = Decompressed(blob, 0, form, Budget(spool.left_bytes), what)
    return spool.keep(iter(lambda: stream.read(_READ_BYTES), b""))
