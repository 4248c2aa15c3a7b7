"""cpio archives in the format of POSIX ("odc", the old character format), entry by entry. Linux unpacks none: they carry files.

Source: POSIX.1-2017, pax, "cpio Interchange Format". All numbers are octal digits.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from teekit_verify.core.errors import MalformedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob

MAGIC = b"070707"
MAX_NAME_BYTES = 4096
_TRAILER = b"TRAILER!!!"
_HEADER_BYTES = 76
_DIGITS = re.compile(rb"[0-7]{70}")
_FIELDS = (6, 12, 18, 24, 30, 36, 42, 48, 59, 65, 76)
"""Where they begin: file system, inode, mode, uid, gid, links, device, mtime, size of the name, size of the content; and the end."""


@frozen
class OdcEntry:
    """A header and its content. `name` holds undecodable bytes as lone surrogates; `device` is major << 8 | minor."""

    name: str
    mode: int
    uid: int
    gid: int
    links: int
    device: int
    mtime: int
    content: Blob


def entries(blob: Blob) -> Iterator[OdcEntry]:
    """Up to the trailer, after which only zeros may come. Raises MalformedInputError with offset and field."""
    at = 0
    while True:
        header = blob.read(at, _HEADER_BYTES)
        if not header.startswith(MAGIC) or not _DIGITS.fullmatch(header, len(MAGIC)):
            raise _bad("header", at, "is truncated, or has characters that are not octal digits")
        numbers = [int(header[start:stop], 8) for start, stop in pairwise(_FIELDS)]
        _, _, mode, uid, gid, links, device, mtime, name_bytes, size_bytes = numbers
        raw = blob.read(at + _HEADER_BYTES, min(name_bytes, MAX_NAME_BYTES + 1))
        if not 1 < name_bytes <= MAX_NAME_BYTES or raw.find(b"\0") != name_bytes - 1:
            raise _bad(
                "name", at + _HEADER_BYTES, f"{name_bytes} bytes are too many, or do not end with their only NUL"
            )
        at += _HEADER_BYTES + name_bytes
        content = blob.part(at, size_bytes)
        if content.size_bytes < size_bytes:
            raise _bad("size", at, f"{size_bytes} bytes are more than there are")
        at += size_bytes
        if raw[:-1] == _TRAILER:
            break
        name = raw[:-1].decode("utf-8", "surrogateescape")
        yield OdcEntry(name, mode, uid, gid, links, device, mtime, content)
    if any(piece.count(0) != len(piece) for piece in blob.pieces(at)):
        raise _bad("end of the archive", at, "something other than zeros follows it")


def _bad(field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError("cpio", field=field, offset=offset, problem=problem)
