"""LZO1X blocks (Linux Documentation/staging/lzo.rst) and the files of lzop (lzop(1), its header as Linux lib/decompress_unlzo.c reads it).

In Python, so slow (some MB/s), and without a package that had to be pinned for it.
"""

from __future__ import annotations

import zlib

from teekit_verify.artifacts.block_stream import BlockStream

LZOP_MAGIC = b"\x89LZO\x00\x0d\x0a\x1a\x0a"
_SHORT, _MIDDLE, _LONG = 16, 32, 64
_END = 16384
_MOST_BLOCK = 64 << 20
_FILTER, _CRC_HEADER = 0x800, 0x1000
_PLAIN, _PACKED = "plain", "packed"
_SUMS = (
    (0x001, (_PLAIN, zlib.adler32)),
    (0x100, (_PLAIN, zlib.crc32)),
    (0x002, (_PACKED, zlib.adler32)),
    (0x200, (_PACKED, zlib.crc32)),
)
"""By the flag that says that it is there, in the order in which they stand before a block; those of packed bytes only where it is packed."""
_WITH_LEVEL = 0x0940


def lzo1x(data: bytes, limit_bytes: int) -> bytes:
    """What a block unpacks to, at most `limit_bytes`. Raises ValueError."""
    out = bytearray()
    try:
        _unpack(data, out, limit_bytes)
    except IndexError as error:
        raise ValueError("the block ends in the middle") from error
    return bytes(out)


def _unpack(data: bytes, out: bytearray, limit: int) -> None:
    at, state = 0, 0
    if data[0] > 17:  # noqa: PLR2004 - a first run of literals
        state = min(data[0] - 17, 4)
        at = _literals(data, 1, data[0] - 17, out, limit)
    while True:
        code = data[at]
        at += 1
        if code < _SHORT and state == 0:
            more, at = _more(data, at, 15) if code == 0 else (code, at)
            at, state = _literals(data, at, more + 3, out, limit), 4
            continue
        if code >= _LONG:
            length, distance, trailing = (code >> 5) + 1, (data[at] << 3) + (code >> 2 & 7) + 1, code & 3
            at += 1
        elif code < _SHORT:
            is_near = state < 4  # noqa: PLR2004
            length, distance, trailing = 2 if is_near else 3, (data[at] << 2) + (code >> 2) + 1, code & 3
            distance += 0 if is_near else 2048
            at += 1
        else:
            mask = 31 if code >= _MIDDLE else 7
            length = code & mask
            if not length:
                length, at = _more(data, at, mask)
            length += 2
            word = data[at] | data[at + 1] << 8
            at, trailing = at + 2, word & 3
            distance = (word >> 2) + (1 if code >= _MIDDLE else _END + ((code & 8) << 11))
            if distance == _END and code < _MIDDLE:
                if at != len(data):
                    raise ValueError("something follows the end of the block")
                return
        _copy(out, distance, length, limit)
        at, state = _literals(data, at, trailing, out, limit), trailing


def _more(data: bytes, at: int, base: int) -> tuple[int, int]:
    while not data[at]:
        base += 255
        at += 1
    return base + data[at], at + 1


def _literals(data: bytes, at: int, count: int, out: bytearray, limit: int) -> int:
    if at + count > len(data):
        raise ValueError("literals go beyond the block")
    if len(out) + count > limit:
        raise ValueError("it unpacks to more than is allowed")
    out += data[at : at + count]
    return at + count


def _copy(out: bytearray, distance: int, length: int, limit: int) -> None:
    start = len(out) - distance
    if start < 0:
        raise ValueError("it refers to bytes before its beginning")
    if len(out) + length > limit:
        raise ValueError("it unpacks to more than is allowed")
    if distance >= length:
        out += out[start : start + length]
    else:
        out += (out[start:] * (length // distance + 1))[:length]


class LzopStream(BlockStream):
    """A file of lzop. Every checksum that it has is checked."""

    def __init__(self) -> None:
        super().__init__()
        self._flags: int | None = None

    def _step(self) -> bool:
        """Take the header or a block from the input; False if there is not enough of it."""
        if self._flags is None:
            return self._header()
        if len(self._input) < 4:  # noqa: PLR2004
            return False
        plain_bytes = int.from_bytes(self._input[:4], "big")
        if not plain_bytes:
            del self._input[:4]
            self._ended = True
            return False
        packed_bytes = int.from_bytes(self._input[4:8], "big")
        if plain_bytes > _MOST_BLOCK or packed_bytes > plain_bytes:
            raise ValueError(f"a block of {plain_bytes} bytes, packed in {packed_bytes}")
        sums = [of for flag, of in _SUMS if self._flags & flag and (of[0] is _PLAIN or packed_bytes < plain_bytes)]
        start = 8 + 4 * len(sums)
        if len(self._input) < start + packed_bytes:
            return False
        stated = [int.from_bytes(self._input[at : at + 4], "big") for at in range(8, start, 4)]
        packed = bytes(self._input[start : start + packed_bytes])
        found = packed if packed_bytes == plain_bytes else lzo1x(packed, plain_bytes)
        if len(found) != plain_bytes:
            raise ValueError(f"a block unpacks to {len(found)} bytes, expected {plain_bytes}")
        if [of(found if side is _PLAIN else packed) for side, of in sums] != stated:
            raise ValueError("the checksum of a block does not match")
        self._output += found
        del self._input[: start + packed_bytes]
        return True

    def _header(self) -> bool:
        """Magic, versions, method, level, flags, filter, mode, times, name, checksum."""
        magic = len(LZOP_MAGIC)
        has_level = int.from_bytes(self._input[magic : magic + 2], "big") >= _WITH_LEVEL
        at = magic + (8 if has_level else 5)
        flags = int.from_bytes(self._input[at : at + 4], "big")
        name_at = at + 4 + (4 if flags & _FILTER else 0) + (12 if has_level else 8)
        if len(self._input) <= name_at or len(self._input) < name_at + 1 + self._input[name_at] + 4:
            return False
        if self._input[:magic] != LZOP_MAGIC or self._input[at - (2 if has_level else 1)] not in {1, 2, 3}:
            raise ValueError("another method")
        end = name_at + 1 + self._input[name_at]
        of = zlib.crc32 if flags & _CRC_HEADER else zlib.adler32
        if of(self._input[magic:end]) != int.from_bytes(self._input[end : end + 4], "big"):
            raise ValueError("the checksum of the header does not match")
        del self._input[: end + 4]
        self._flags = flags
        return True
