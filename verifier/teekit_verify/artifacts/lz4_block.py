"""LZ4 blocks and frames: lz4 doc/lz4_Block_format.md, doc/lz4_Frame_format.md ("legacy frame" too, as Linux has initrds).

In Python, so slow (some 20 MB/s), and without a package that had to be pinned for it.
"""

from __future__ import annotations

from teekit_verify.artifacts.block_stream import BlockStream
from teekit_verify.artifacts.xxh32 import Xxh32, xxh32

_MIN_MATCH = 4
_MORE = 15
_WORD = 4
_PLAIN = 1 << 31
_WINDOW = 1 << 16
_LEGACY_MAGIC, _LEGACY_BLOCK = 0x184C2102, 8 << 20
_MOST_PACKED = _LEGACY_BLOCK + _LEGACY_BLOCK // 255 + 16
"""LZ4_COMPRESSBOUND of a legacy block: what is more is no size, but something that follows."""


def lz4_block(data: bytes, limit_bytes: int, before: bytes = b"", *, is_whole: bool = True) -> bytes:
    """What a block unpacks to; `before` are the bytes in front of it that it may refer to. Raises ValueError.

    If something else follows (not `is_whole`), exactly `limit_bytes` are taken.
    """
    out = bytearray(before)
    base, at, end = len(before), 0, len(data)
    try:
        while at < end and (is_whole or len(out) - base < limit_bytes):
            token = data[at]
            at += 1
            length = token >> 4
            if length == _MORE:
                more, at = _length(data, at)
                length += more
            if at + length > end:
                raise ValueError("literals go beyond the block")
            out += data[at : at + length]
            at += length
            if at < end and (is_whole or len(out) - base < limit_bytes):
                distance = data[at] | data[at + 1] << 8
                at += 2
                length = token & 15
                if length == _MORE:
                    more, at = _length(data, at)
                    length += more
                _copy(out, distance, length + _MIN_MATCH, base + limit_bytes)
            if len(out) - base > limit_bytes:
                raise ValueError(f"it unpacks to more than {limit_bytes} bytes")
    except IndexError as error:
        raise ValueError("the block ends in the middle") from error
    return bytes(out[base:])


def _length(data: bytes, at: int) -> tuple[int, int]:
    total = 0
    while True:
        byte = data[at]
        at += 1
        total += byte
        if byte != 255:  # noqa: PLR2004
            return total, at


def _copy(out: bytearray, distance: int, length: int, limit: int) -> None:
    start = len(out) - distance
    if not distance or start < 0:
        raise ValueError("it refers to bytes before its beginning")
    if len(out) + length > limit:
        raise ValueError("it unpacks to more than is allowed")
    if distance >= length:
        out += out[start : start + length]
    else:
        out += (out[start:] * (length // distance + 1))[:length]


class Lz4Stream(BlockStream):
    """A frame, or a legacy frame. Of a frame every checksum that it has is checked, and the size that it may say."""

    def __init__(self) -> None:
        super().__init__()
        self._before = b""
        self._block_bytes = 0
        self._is_legacy = self._is_linked = False
        self._block_tail = self._tail = 0
        self._size_bytes = 0
        self._said_bytes: int | None = None
        self._sum = Xxh32()

    def may_end(self) -> bool:
        """At the end of the input: a legacy frame has no mark of its end."""
        if self._is_legacy and not self._input and not self._output:
            self.eof = self._ended = True
        return self.eof

    def _step(self) -> bool:
        """Take a header or a block from the input; False if there is not enough of it."""
        if not self._block_bytes:
            return self._header()
        if len(self._input) < _WORD:
            return False
        size = int.from_bytes(self._input[:_WORD], "little")
        if self._is_legacy and (size == _LEGACY_MAGIC or size > _MOST_PACKED or not size):
            if size == _LEGACY_MAGIC:
                del self._input[:_WORD]
                return True
            self._ended = True
            return False
        if not size:
            if len(self._input) < _WORD + self._tail:
                return False
            self._require_whole(self._input[_WORD : _WORD + self._tail])
            del self._input[: _WORD + self._tail]
            self._ended = True
            return False
        is_plain, size = bool(size & _PLAIN) and not self._is_legacy, size & ~_PLAIN
        if size > (_MOST_PACKED if self._is_legacy else self._block_bytes):
            raise ValueError(f"a block of {size} bytes is too large")
        if len(self._input) < _WORD + size + self._block_tail:
            return False
        data, tail = bytes(self._input[_WORD : _WORD + size]), self._input[_WORD + size :][: self._block_tail]
        if tail and xxh32(data) != int.from_bytes(tail, "little"):
            raise ValueError("the checksum of a block does not match")
        self._block(data, is_plain=is_plain)
        del self._input[: _WORD + size + self._block_tail]
        return True

    def _block(self, data: bytes, *, is_plain: bool) -> None:
        found = data if is_plain else lz4_block(data, self._block_bytes, self._before)
        self._output += found
        self._size_bytes += len(found)
        if self._tail:
            self._sum.update(found)
        if self._is_linked:
            self._before = (self._before + found)[-_WINDOW:]

    def _require_whole(self, tail: bytes | bytearray) -> None:
        """At the end mark."""
        if self._said_bytes not in {None, self._size_bytes}:
            raise ValueError(f"it unpacks to {self._size_bytes} bytes, and says {self._said_bytes}")
        if tail and self._sum.value != int.from_bytes(tail, "little"):
            raise ValueError("the checksum of what it unpacks to does not match")

    def _header(self) -> bool:
        if len(self._input) < _WORD + 3:
            return False
        if int.from_bytes(self._input[:_WORD], "little") == _LEGACY_MAGIC:
            self._is_legacy, self._block_bytes = True, _LEGACY_BLOCK
            del self._input[:_WORD]
            return True
        flags, sizes = self._input[4], self._input[5] >> 4 & 7
        if flags >> 6 != 1 or sizes < 4 or flags & 1:  # noqa: PLR2004 - version 01, 64 KiB or more, no dictionary
            raise ValueError("an unsupported version, block size or dictionary")
        header = _WORD + 3 + (8 if flags & 8 else 0)
        if len(self._input) < header:
            return False
        if xxh32(bytes(self._input[_WORD : header - 1])) >> 8 & 0xFF != self._input[header - 1]:
            raise ValueError("the checksum of the header does not match")
        self._said_bytes = int.from_bytes(self._input[6:14], "little") if flags & 8 else None
        self._is_linked = not flags & 0x20
        self._block_tail, self._tail = (_WORD if flags & 0x10 else 0), (_WORD if flags & 4 else 0)
        self._block_bytes = 1 << (8 + 2 * sizes)
        del self._input[:header]
        return True
