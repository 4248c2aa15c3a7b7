"""Compressed data as a forward stream of bounded memory: zstd, gzip, xz, bzip2, lz4, lzma and lzo, one member (frame, stream) at a time, or
all of a file's.

Sources: RFC 8878 (zstd), RFC 1952 (gzip), the .xz file format 1.1.0, and for what an initrd may be compressed with,
Linux lib/decompress.c (compressed_formats[]).
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from teekit_verify.artifacts.magic import COMPRESSION_MAGIC_BYTES, Compression, compression_of
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from _typeshed import WriteableBuffer

    from teekit_verify.artifacts.blob import Blob

_FEED_BYTES = 1 << 17
_OUTPUT_BYTES = 1 << 18
_WINDOW_LOG = 27
"""128 MiB: what zstd itself takes without --long, and Linux lib/decompress_unzstd.c (ZSTD_WINDOWSIZE_MAX)."""
_XZ_MEMORY_BYTES = 256 << 20
_MAX_BLOCK_HEADERS = 1 << 20
_MAX_MEMBERS = 1 << 20
"""A file of BGZF has one for each 64 KiB."""
_SKIPPABLE_HEADER_BYTES = 8
_XZ_PADDING = 4
_XZ_CHECK, _XZ_CHECKS = 7, {b"", b"\0", b"\1", b"\4", b"\n"}
"""Where a stream says which checksum it has, 2.1.1.2: none, CRC-32, CRC-64, SHA-256. liblzma passes over others."""


_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18")
"""RFC 8878, 3.1.2: "Skippable_Frame"; LZ4 has the same. Linux does not take an initrd that begins so."""


_PADDED = {Compression.GZIP, Compression.XZ, Compression.LZ4_LEGACY}
_SKIPPING = {Compression.ZSTD, Compression.LZ4}


def is_packed(beginning: bytes) -> bool:
    """Whether a file may be whole members of a known compression: as compression_of(), or a skippable frame first."""
    return compression_of(beginning) is not None or _SKIPPABLE.match(beginning) is not None


@dataclass(slots=True)
class Budget:
    """How many bytes may still be unpacked; zeros shrink a thousandfold, so their ratio alone says nothing."""

    left: int

    def spend(self, size_bytes: int, what: str) -> None:
        self.left -= size_bytes
        if self.left < 0:
            raise UnsupportedInputError(f"{what}: unpacks to more bytes than this program reads")


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """zlib's decompressor with the interface of the others."""

    def __init__(self) -> None:
        self._state = zlib.decompressobj(16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._state.eof

    @property
    def needs_input(self) -> bool:
        return not self._state.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._state.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._state.decompress(self._state.unconsumed_tail + data, max_length)


@runtime_checkable
class _MayEnd(Protocol):
    """A format without a mark of its end, which only the end of the input tells."""

    def may_end(self) -> bool: ...


# In Python and seldom needed: not imported by who measures an image of today.
def _lz4() -> _Decompressor:
    from teekit_verify.artifacts.lz4_block import Lz4Stream

    return Lz4Stream()


def _lzop() -> _Decompressor:
    from teekit_verify.artifacts.lzo_block import LzopStream

    return LzopStream()


_DECOMPRESSORS: dict[Compression, Callable[[], _Decompressor]] = {
    Compression.ZSTD: lambda: zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}),
    Compression.GZIP: _Gzip,
    Compression.XZ: lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES),
    Compression.BZIP2: bz2.BZ2Decompressor,
    Compression.LZ4: _lz4,
    Compression.LZ4_LEGACY: _lz4,
    Compression.LZO: _lzop,
    Compression.LZMA: lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY_BYTES),
}
_ERRORS = (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, EOFError, ValueError)


class Decompressed(io.RawIOBase):
    """What one member unpacks to, forwards. `end` is where it ends in the blob, known when all of it was read."""

    def __init__(self, blob: Blob, start: int, compression: Compression, budget: Budget, what: str) -> None:
        super().__init__()
        if compression is Compression.XZ and blob.read(start + _XZ_CHECK, 1) not in _XZ_CHECKS:
            raise UnsupportedInputError(f"{what} (xz): has checksums of an unknown kind, which cannot be verified")
        self._blob = blob
        self._at = start
        self._state = _DECOMPRESSORS[compression]()
        self._budget = budget
        self._what = f"{what} ({compression.value})"

    def readable(self) -> bool:
        return True

    @property
    def end(self) -> int:
        return self._at - len(self._state.unused_data)

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        data = self._some(min(len(target), _OUTPUT_BYTES))
        target[: len(data)] = data
        return len(data)

    def _some(self, limit_bytes: int) -> bytes:
        hungry = self._state.needs_input
        while not self._state.eof:
            piece = self._feed() if hungry else b""
            if self._state.eof:
                break
            try:
                data = self._state.decompress(piece, limit_bytes)
            except _ERRORS as error:
                raise self._bad(printable(str(error))) from error
            if data:
                self._budget.spend(len(data), self._what)
                return data
            hungry = True  # nothing came of what it has
        return b""

    def _feed(self) -> bytes:
        piece = self._blob.read(self._at, _FEED_BYTES)
        if not piece:
            if isinstance(self._state, _MayEnd) and self._state.may_end():
                return b""
            raise self._bad("ends before its end mark")
        self._at += len(piece)
        return piece

    def _bad(self, problem: str) -> MalformedInputError:
        return MalformedInputError(self._what, field="compressed data", offset=self._at, problem=problem)


class Ahead(io.RawIOBase):
    """The same bytes, of which the next piece is unpacked by another thread while the one before is looked at."""

    def __init__(self, unpacked: Decompressed, executor: Executor) -> None:
        super().__init__()
        self._unpacked, self._executor = unpacked, executor
        self._piece = memoryview(b"")
        self._next: Future[bytes] | None = executor.submit(self._unpack)

    def readable(self) -> bool:
        return True

    def _unpack(self) -> bytes:
        return self._unpacked.read(_OUTPUT_BYTES) or b""

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Raises what unpacking raises."""
        target = memoryview(buffer).cast("B")
        if not self._piece and self._next is not None:
            self._piece = memoryview(self._next.result())
            self._next = self._executor.submit(self._unpack) if self._piece else None
        size_bytes = min(len(target), len(self._piece))
        target[:size_bytes] = self._piece[:size_bytes]
        self._piece = self._piece[size_bytes:]
        return size_bytes


class Unpacked(io.RawIOBase):
    """What a whole file unpacks to, forwards: all members, one after another. `compression` is known from the start.

    RFC 1952, 2.2: "A gzip file consists of a series of 'members'"; .xz format, 2: "one or more Streams", zeros between them
    in fours; RFC 8878, 3: frames, with skippable frames in between (`skipped`, which unpack to nothing); bzip2(1): "a file which
    is the concatenation of two or more compressed files". gzip(1) ignores zeros at the end; whatever else is there is refused.
    """

    def __init__(self, blob: Blob, budget: Budget, what: str) -> None:
        """Raises UnsupportedInputError for something else than these, MalformedInputError for a damaged frame."""
        super().__init__()
        self._blob, self._budget, self._what = blob, budget, what
        self.skipped: list[Blob] = []
        self.members = 0
        self._member: Decompressed | None = None
        start = self._after_skippable(0)
        beginning = blob.read(start, COMPRESSION_MAGIC_BYTES)
        compression = compression_of(beginning)
        if compression is None or (start and compression not in _SKIPPING):
            raise UnsupportedInputError(f"{what}: compressed in a way that is not supported")
        self.compression = compression
        self._begin(start)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        while self._member is not None:
            size_bytes = self._member.readinto(buffer)
            if size_bytes:
                return size_bytes
            self._go_on(self._member.end)
        return 0

    def _begin(self, start: int) -> None:
        self.members += 1
        if self.members > _MAX_MEMBERS:
            raise UnsupportedInputError(f"{self._what}: more than {_MAX_MEMBERS} members, which are too many to unpack")
        self._member = Decompressed(self._blob, start, self.compression, self._budget, self._what)

    def _go_on(self, end: int) -> None:
        start = self._after_skippable(end) if self.compression in _SKIPPING else self._after_zeros(end)
        beginning = self._blob.read(start, COMPRESSION_MAGIC_BYTES)
        if not beginning:
            self._member = None
        elif compression_of(beginning) is self.compression:
            self._begin(start)
        else:
            problem = f"{beginning!r} follows the end of what is compressed"
            raise MalformedInputError(
                f"{self._what} ({self.compression.value})", field="member", offset=start, problem=problem
            )

    def _after_zeros(self, at: int) -> int:
        """Gzip and xz allow zeros as padding, bzip2 does not."""
        start = at
        for piece in self._blob.pieces(at) if self.compression in _PADDED else ():
            stripped = piece.lstrip(b"\0")
            at += len(piece) - len(stripped)
            if stripped:
                break
        if self.compression is Compression.XZ and (at - start) % _XZ_PADDING:
            problem = f"{at - start} zeros follow the stream, expected a multiple of {_XZ_PADDING}"
            raise MalformedInputError(f"{self._what} (xz)", field="padding", offset=start, problem=problem)
        return at

    def _after_skippable(self, at: int) -> int:
        while _SKIPPABLE.match(header := self._blob.read(at, _SKIPPABLE_HEADER_BYTES)):
            size_bytes = int.from_bytes(header[4:], "little")
            end = at + _SKIPPABLE_HEADER_BYTES + size_bytes
            if (
                len(header) < _SKIPPABLE_HEADER_BYTES
                or end > self._blob.size_bytes
                or len(self.skipped) == _MAX_MEMBERS
            ):
                problem = f"{size_bytes} bytes are more than there are, or the frame is one of too many"
                raise MalformedInputError(f"{self._what} (zstd)", field="skippable frame", offset=at, problem=problem)
            self.skipped.append(self._blob.part(at, end - at))
            at = end
        return at


def zstd_frame_end(blob: Blob, start: int) -> int | None:
    """Where the zstd frame at `start` ends, by its block headers alone (RFC 8878, 3.1.1); None if it does not.

    What it says is not to be trusted before the frame was unpacked, but two equal frames end at the same place.
    """
    descriptor = blob.read(start + 4, 1)
    if not descriptor:
        return None
    flags = descriptor[0]
    single_segment = flags >> 5 & 1
    content_size = (single_segment, 2, 4, 8)[flags >> 6]
    at = start + 5 + (1 - single_segment) + (0, 1, 2, 4)[flags & 3] + content_size
    for _ in range(_MAX_BLOCK_HEADERS):
        header = int.from_bytes(blob.read(at, 3).ljust(3, b"\0"), "little")
        is_last, kind, size = header & 1, header >> 1 & 3, header >> 3
        at += 3 + (1 if kind == 1 else size)
        if at > blob.size_bytes or kind == 3:  # noqa: PLR2004 - reserved
            return None
        if is_last:
            end = at + 4 * (flags >> 2 & 1)
            return end if end <= blob.size_bytes else None
    return None
