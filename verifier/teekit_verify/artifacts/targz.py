"""A raw disk in a `.tar.gz` as Google Cloud imports it: one member `disk.raw`, `tar --format=oldgnu`, perhaps sparse.

gzip cannot be entered in the middle, so `TarGzDisk` is a stream that is quick forwards and starts again from the
beginning to go backwards. A disk is read in the order of its structures (GPT, FAT, directories, file), which is nearly
always forwards: one pass. Nothing is unpacked to disk, and nothing is kept in memory.

Sources: GNU tar manual, "Basic Tar Format" (struct posix_header, struct oldgnu_header, struct sparse_header); RFC 1952;
Google Cloud, "Manually import virtual disks": "The disk image filename must be disk.raw", "--format=oldgnu".
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from teekit_verify.artifacts.blob import SeekableRaw
from teekit_verify.artifacts.magic import GOOGLE_MEMBER
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

FREE_BYTES, MOST_INFLATION = 1 << 30, 100
"""What may be unpacked over all passes: FREE_BYTES, and MOST_INFLATION bytes for each byte of the archive, so that the work
follows from the size of what somebody sent. Content seldom shrinks to a tenth, and holes are left out by `tar -S`, which
Google's instructions ask for; without it, zeros shrink to a thousandth, and many of them are a bomb.
"""
_BLOCK_BYTES = 512
_CHUNK_BYTES = 1 << 18
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_MAX_SEGMENTS = 100_000
_MAX_DISK_BYTES = 1 << 46
_REGULAR, _SPARSE = {b"0", b"\0"}, b"S"
_PAX = {b"x", b"g"}
_HINT = "Make it with `tar --format=oldgnu -Sczf image.tar.gz disk.raw`."


@frozen
class _Segment:
    """`size_bytes` bytes that belong at `offset` of the disk, and lie at `packed` of the uncompressed archive."""

    offset: int
    size_bytes: int
    packed: int


class TarGzDisk(SeekableRaw):
    """The disk in an archive, as a read-only stream. `size_bytes` is that of the disk; holes read as zeros."""

    def __init__(self, archive: BinaryIO) -> None:
        """Reads up to the first byte of the disk. Raises MalformedInputError or UnsupportedInputError."""
        self._archive = archive
        self._budget = _Budget(FREE_BYTES + MOST_INFLATION * archive.seek(0, os.SEEK_END))
        self._inflated = _Inflated(archive, self._budget)
        size_bytes, self._segments = _member(self._inflated)
        super().__init__(size_bytes)
        self._offsets = [segment.offset for segment in self._segments]

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Up to the end of a segment or hole. Raises MalformedInputError for what gzip or tar cannot be."""
        target = memoryview(buffer).cast("B")
        index = bisect_right(self._offsets, self._position) - 1
        segment = self._segments[index] if index >= 0 else None
        if segment is not None and self._position < segment.offset + segment.size_bytes:
            inside = self._position - segment.offset
            target = target[: segment.size_bytes - inside]
            self._go_to(segment.packed + inside)
            self._inflated.readinto(target, GOOGLE_MEMBER)
        else:
            following = self._offsets[index + 1] if index + 1 < len(self._offsets) else self.size_bytes
            target = target[: max(0, following - self._position)]
            target[:] = bytes(len(target))
        self._position += len(target)
        return len(target)

    def finish(self) -> None:
        """Read the rest: the end of the archive, nothing but zeros after it, and the checksums of gzip.

        Raises MalformedInputError or UnsupportedInputError.
        """
        last = self._segments[-1] if self._segments else None
        if last is not None:
            self._go_to(_padded(last.packed + last.size_bytes))
        header = self._inflated.block("end of archive")
        if any(header):
            raise UnsupportedInputError(
                f"tar: a second member {_name(header)!r}, expected only {GOOGLE_MEMBER}", hint=_HINT
            )
        self._inflated.require_zeros()

    def _go_to(self, packed: int) -> None:
        if packed < self._inflated.position:
            self._inflated = _Inflated(self._archive, self._budget)
        self._inflated.skip(packed - self._inflated.position, GOOGLE_MEMBER)


@dataclass(slots=True)
class _Budget:
    """How many bytes may still be inflated."""

    left: int

    def spend(self, size_bytes: int) -> None:
        self.left -= size_bytes
        if self.left < 0:
            raise UnsupportedInputError(
                f"gzip: to read the disk, more than {FREE_BYTES >> 30} GiB and {MOST_INFLATION} times the archive would have "
                "to be unpacked",
                hint=f"{_HINT} -S leaves out the zeros.",
            )


class _Inflated:
    """The uncompressed bytes of a gzip file, forwards; `position` counts them."""

    def __init__(self, archive: BinaryIO, budget: _Budget) -> None:
        archive.seek(0)
        self._archive = archive
        self._budget = budget
        self._pending = b""
        self._state = zlib.decompressobj(_GZIP_WINDOW)
        self.position = 0

    def some(self, limit: int) -> bytes:
        """At most `limit` bytes; none only at the end."""
        while True:
            if self._state.eof and not self._next_stream():
                return b""
            if not self._pending:
                self._pending = self._archive.read(_CHUNK_BYTES)
                if not self._pending:
                    raise self._bad("ends before its checksum")
            try:
                data = self._state.decompress(self._pending, limit)
            except zlib.error as error:
                raise self._bad(str(error)) from error
            self._pending = self._state.unused_data if self._state.eof else self._state.unconsumed_tail
            if data:
                self.position += len(data)
                self._budget.spend(len(data))
                return data

    def _next_stream(self) -> bool:
        """RFC 1952, 2.2: "a gzip file consists of a series of members"; zeros may pad the file."""
        while not self._pending.lstrip(b"\0"):
            self._pending = self._archive.read(_CHUNK_BYTES)
            if not self._pending:
                return False
        self._pending = self._pending.lstrip(b"\0")
        self._state = zlib.decompressobj(_GZIP_WINDOW)
        return True

    def readinto(self, target: memoryview, what: str) -> None:
        done = 0
        while done < len(target):
            data = self.some(min(len(target) - done, _CHUNK_BYTES))
            if not data:
                raise self._bad(f"ends in {what}")
            target[done : done + len(data)] = data
            done += len(data)

    def block(self, what: str) -> bytes:
        block = bytearray(_BLOCK_BYTES)
        self.readinto(memoryview(block), what)
        return bytes(block)

    def skip(self, size_bytes: int, what: str) -> None:
        stop = self.position + size_bytes
        while self.position < stop:
            if not self.some(min(stop - self.position, _CHUNK_BYTES)):
                raise self._bad(f"ends in {what}")

    def require_zeros(self) -> None:
        """To the end. GNU tar fills its last record with them."""
        while data := self.some(_CHUNK_BYTES):
            if data.count(0) != len(data):
                raise self._bad("something follows the end of the tar archive")

    def _bad(self, problem: str) -> MalformedInputError:
        return MalformedInputError("gzip", field="uncompressed data", offset=self.position, problem=problem)


def _member(inflated: _Inflated) -> tuple[int, list[_Segment]]:
    """The header of `disk.raw`: the disk's size, and where its bytes lie."""
    header = inflated.block("tar header")
    kind, name = header[156:157], _name(header)
    _check_sum(header)
    if kind in _PAX:
        raise UnsupportedInputError("tar: pax headers, expected the old GNU format", hint=_HINT)
    if name != GOOGLE_MEMBER or not (kind in _REGULAR or kind == _SPARSE):
        raise UnsupportedInputError(
            f"tar: the first member is {name!r} (type {kind!r}), expected the file {GOOGLE_MEMBER}", hint=_HINT
        )
    packed_bytes = _number(header, 124, 12, 0, "size")
    if kind in _REGULAR:
        _bounded(packed_bytes, 124)
        return packed_bytes, [_Segment(0, packed_bytes, inflated.position)] if packed_bytes else []
    size_bytes = _number(header, 483, 12, 0, "real size")
    _bounded(size_bytes, 483)
    places = list(_sparse_map(header, inflated))
    return size_bytes, _segments(places, inflated.position, packed_bytes, size_bytes)


def _sparse_map(header: bytes, inflated: _Inflated) -> Iterator[tuple[int, int]]:
    """oldgnu_header: 4 pairs at 386 and `isextended` at 482; sparse_header: 21 pairs and `isextended` at 504."""
    block, base, start, count, flag = header, 0, 386, 4, 482
    total = 0
    while True:
        for place in range(start, start + 24 * count, 24):
            if not any(block[place : place + 12]) or not any(block[place + 12 : place + 24]):
                break
            yield _number(block, place, 12, base, "sparse offset"), _number(block, place + 12, 12, base, "sparse size")
        if not block[flag]:
            return
        total += count
        if total > _MAX_SEGMENTS:
            raise MalformedInputError(
                "tar", field="sparse map", offset=base + flag, problem=f"has more than {_MAX_SEGMENTS} entries"
            )
        base = inflated.position
        block, start, count, flag = inflated.block("sparse map"), 0, 21, 504


def _segments(places: list[tuple[int, int]], packed: int, packed_bytes: int, size_bytes: int) -> list[_Segment]:
    """GNU tar pads every piece to whole blocks (sparse.c, sparse_dump_region), and counts it without the padding."""
    segments, end, total = [], 0, 0
    for offset, length in places:
        if offset < end or offset + length > size_bytes:
            problem = f"{length} bytes at {offset:#x} overlap others, or end after the disk ({size_bytes:#x} bytes)"
            raise MalformedInputError("tar", field="sparse map", offset=386, problem=problem)
        end = offset + length
        if length:
            segments.append(_Segment(offset, length, packed))
            packed, total = _padded(packed + length), total + length
    if total != packed_bytes:
        problem = f"covers {total} bytes, but the member has {packed_bytes}"
        raise MalformedInputError("tar", field="sparse map", offset=386, problem=problem)
    return segments


def _number(block: bytes, start: int, size: int, base: int, field: str) -> int:
    """Octal digits, or with the first bit set a big-endian number (GNU tar, "Extensions to the Archive Format")."""
    raw = block[start : start + size]
    if raw[0] == 0x80:  # noqa: PLR2004 - 0xff would be a negative number
        return int.from_bytes(raw[1:], "big")
    digits = raw.rstrip(b"\0 ").lstrip(b" ")
    if not digits or digits.strip(b"01234567"):
        raise MalformedInputError("tar", field=field, offset=base + start, problem=f"{raw!r} is not an octal number")
    return int(digits, 8)


def _check_sum(header: bytes) -> None:
    """The sum of the header's bytes, with spaces in place of the sum itself."""
    expected = sum(header[:148]) + 8 * 0x20 + sum(header[156:])
    found = _number(header, 148, 8, 0, "header checksum")
    if found != expected:
        problem = f"expected {expected:o}, found {found:o} (octal): this is not a tar archive"
        raise MalformedInputError("tar", field="header checksum", offset=148, problem=problem)


def _bounded(size_bytes: int, offset: int) -> None:
    if size_bytes > _MAX_DISK_BYTES:
        raise MalformedInputError(
            "tar", field="size", offset=offset, problem=f"{size_bytes} bytes is not a disk's size"
        )


def _name(header: bytes) -> str:
    return printable(header[:100].split(b"\0", 1)[0].decode("latin-1"))


def _padded(position: int) -> int:
    return -(-position // _BLOCK_BYTES) * _BLOCK_BYTES
