"""Compressed files of EROFS: Linux fs/erofs/erofs_fs.h (z_erofs_map_header, z_erofs_lcluster_index, Z_EROFS_ADVISE_*).

A file is cut into logical clusters. Each has an index: a head begins a run that is compressed as one, the others belong to
the head before. Indexes have 8 bytes, or come in packs of 2 or 16 that share the number of a block.
"""

from __future__ import annotations

import lzma
import struct
import zlib
from typing import TYPE_CHECKING

from teekit_verify.artifacts.block_codecs import block_codec
from teekit_verify.artifacts.lz4_block import lz4_block
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from teekit_verify.artifacts.blob import Blob

_WHAT = "erofs"
_PACKED_2B, _BIG, _BIG_2, _INLINE, _INTERLACED, _FRAGMENT = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20
_PLAIN, _HEAD, _OTHER, _HEAD_2 = range(4)
_BLOCK_COUNT = 0x800
_ALGORITHMS = ("lz4", "microlzma", "deflate", "zstd")
_MAX_RUN_BYTES = 64 << 20


@frozen
class _Index:
    """`place` is where a head begins in its cluster; `block` its first block; `blocks` is how many, said by the index after it."""

    kind: int
    place: int
    block: int = 0
    blocks: int = 0


class Clusters:
    """The indexes of one file, from `end` (of its inode and attributes) on."""

    def __init__(
        self, blob: Blob, block_bits: int, end: int, size_bytes: int, *, is_compact: bool, is_padded: bool
    ) -> None:
        """`is_padded`: zeros come before what is compressed, to fill whole blocks; before that feature, anything came after it."""
        self._is_padded = is_padded
        self._blob, self._block_bits, self._size = blob, block_bits, size_bytes
        self._start = -(-end // 8) * 8
        header = blob.read(self._start, 8)
        if len(header) < 8:  # noqa: PLR2004
            raise _bad("map header", self._start, "lies outside the image")
        self._fragment_low, self._advise, algorithms, bits = struct.unpack("<IHBB", header)
        self._inline_bytes = struct.unpack_from("<H", header, 2)[0]
        self._algorithms = {_HEAD: algorithms & 15, _HEAD_2: algorithms >> 4}
        self._bits = block_bits + (bits & 7)
        self._is_compact = is_compact
        self._whole_fragment = int.from_bytes(header, "little") ^ 1 << 63 if bits & 0x80 else None
        self._behind = 0
        """The offset after all indexes: where a tail lies that is kept with the inode."""

    def content(self, fragment: Callable[[int, int], bytes]) -> Iterator[bytes]:
        """The file, run by run. `fragment` reads from the file that holds the tails of many."""
        if not self._size:
            return
        if self._whole_fragment is not None:
            yield fragment(self._whole_fragment, self._size)
            return
        head, start = None, 0
        for number, index in enumerate(self._indexes()):
            here = (number << self._bits) + index.place
            if index.kind != _OTHER and here < self._size:  # the last one may stand for the end
                if head is not None:
                    yield self._run(head, start, here)
                elif here:
                    raise _bad("cluster index", self._start, f"the first run begins at {here}")
                head, start = index, here
        if head is None:
            raise _bad("cluster index", self._start, "no run begins")
        if start < self._size:
            yield self._tail(head, start, fragment)

    def _tail(self, head: _Index, start: int, fragment: Callable[[int, int], bytes]) -> bytes:
        if self._advise & _FRAGMENT:
            # Linux fs/erofs/zmap.c, z_erofs_do_map_blocks(): only non-compact indexes have the offset's upper half as the block.
            upper = 0 if self._is_compact else head.block << 32
            return fragment(upper | self._fragment_low, self._size - start)
        if self._advise & _INLINE:
            return self._unpacked(head, start, self._size, self._behind, self._inline_bytes)
        return self._run(head, start, self._size)

    def _run(self, head: _Index, start: int, stop: int) -> bytes:
        return self._unpacked(head, start, stop, head.block << self._block_bits, head.blocks << self._block_bits)

    def _unpacked(self, head: _Index, start: int, stop: int, place: int, packed_bytes: int) -> bytes:
        size = stop - start
        if not 0 <= size <= _MAX_RUN_BYTES:
            raise _bad("cluster index", self._start, f"a run of {size} bytes")
        data = self._blob.read(place, packed_bytes)
        if len(data) < packed_bytes:
            raise _bad("file content", place, "lies outside the image")
        if head.kind == _PLAIN:
            found = self._rotated(data, start, size) if self._advise & _INTERLACED else data[:size]
        else:
            found = self._decoded(data, self._algorithms[head.kind], size, place)
        if len(found) != size:
            raise _bad("file content", place, f"unpacks to {len(found)} bytes, expected {size}")
        return found

    def _rotated(self, data: bytes, start: int, size: int) -> bytes:
        """Interlaced: each byte lies where it has its place in a block of the file."""
        block = 1 << self._block_bits
        skip = start & (block - 1)
        right = min(block - skip, size)
        return data[skip : skip + right] + data[: size - right]

    def _decoded(self, data: bytes, algorithm: int, size: int, place: int) -> bytes:
        if algorithm >= len(_ALGORITHMS):
            raise UnsupportedInputError(f"{_WHAT}: compressed by method {algorithm}, which is not supported")
        name, data = _ALGORITHMS[algorithm], data.lstrip(b"\0") if self._is_padded else data
        try:
            if name == "deflate":
                return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size)
            if name == "microlzma":
                return _microlzma(data, size)
            return (
                lz4_block(data, size, is_whole=self._is_padded)
                if name == "lz4"
                else block_codec(name, _WHAT)(data, size)
            )
        except (ValueError, zlib.error, lzma.LZMAError) as error:
            raise _bad("file content", place, f"cannot be unpacked: {error}") from error

    def _indexes(self) -> Iterator[_Index]:
        """Each with what the one after it says of it."""
        rows = self._packs() if self._is_compact else self._rows()
        before: tuple[int, int, int] | None = None
        for row in rows:
            if before is not None:
                yield self._index(before, row)
            before = row
        if before is not None:
            yield self._index(before, None)

    def _index(self, row: tuple[int, int, int], after: tuple[int, int, int] | None) -> _Index:
        """A row is a kind, then place and block of a head, or the distance that another one has."""
        kind, place, block = row
        if kind == _OTHER:
            return _Index(kind, 0)
        blocks = 1 << (self._bits - self._block_bits)
        if self._is_big(kind):
            blocks = 1
            if after is not None and after[0] == _OTHER:
                if not after[1] & _BLOCK_COUNT:
                    raise _bad("cluster index", self._start, "the number of blocks is missing")
                blocks = after[1] & ~_BLOCK_COUNT
        return _Index(kind, place, block, blocks)

    def _is_big(self, kind: int) -> bool:
        return bool(self._advise & (_BIG_2 if kind == _HEAD_2 else _BIG))

    def _rows(self) -> Iterator[tuple[int, int, int]]:
        at = self._start + 16
        for _ in range(-(-self._size // (1 << self._bits))):
            advise, place, block = struct.unpack("<HHI", self._taken(at, 8))
            kind = advise & 3
            yield kind, (block & 0xFFFF if kind == _OTHER else place), block
            at += 8
        self._behind = at

    def _taken(self, at: int, size: int) -> bytes:
        data = self._blob.read(at, size)
        if len(data) < size:
            raise _bad("cluster index", at, "lies outside the image")
        return data

    def _packs(self) -> Iterator[tuple[int, int, int]]:
        """Packs of two to a boundary of 32 bytes, then of sixteen as far as they are full, then of two."""
        left, at = -(-self._size // (1 << self._bits)), self._start + 8
        first = (32 - at % 32) // 4 % 8
        wide = (left - first) // 16 * 16 if self._advise & _PACKED_2B and first < left else 0
        for stretch, width, count in ((first, 4, 2), (wide, 2, 16), (left, 4, 2)):
            done = 0
            while done < stretch and left:
                for row in self._pack(self._taken(at, width * count), width, count)[:left]:
                    yield row
                    left -= 1
                    done += 1
                at += width * count
        self._behind = at

    def _pack(self, raw: bytes, width: int, count: int) -> list[tuple[int, int, int]]:
        bits = (width * count - 4) * 8 // count
        low_bits = max(self._bits, 12)
        numbers = int.from_bytes(raw[:-4], "little")
        base = int.from_bytes(raw[-4:], "little")
        is_big = bool(self._advise & (_BIG | _BIG_2))
        entries = [
            (number >> low_bits & 3, number & (1 << low_bits) - 1)
            for number in (numbers >> bits * index & (1 << bits) - 1 for index in range(count))
        ]
        rows, used = [], 0 if is_big else 1
        for index, (kind, low) in enumerate(entries):
            if kind == _OTHER:
                rows.append((kind, low, 0))
                used += low & ~_BLOCK_COUNT if is_big and low & _BLOCK_COUNT else 0
                continue
            rows.append((kind, low, base + used))
            after = entries[index + 1] if index + 1 < count else (_PLAIN, 0)
            used += 0 if is_big and after[0] == _OTHER and after[1] & _BLOCK_COUNT else 1
        return rows


def _microlzma(data: bytes, size: int) -> bytes:
    """Xz doc, "MicroLZMA": raw LZMA whose first byte, always zero, gave way to the complement of the properties."""
    properties = ~data[0] & 0xFF if data else 0
    literal, rest = properties % 9, properties // 9
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 8 << 20, "lc": literal, "lp": rest % 5, "pb": rest // 5}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters).decompress(b"\0" + data[1:], size)


def _bad(field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError(_WHAT, field=field, offset=offset, problem=problem)
