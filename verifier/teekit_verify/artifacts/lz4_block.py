"""LZ4 blocks and frames: lz4 doc/lz4_Block_format.md, doc/lz4_Frame_format.md ("legacy frame" too, as Linux has initrds).

In Python, so slow (some 20 MB/s), and without a package that had to be pinned for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIN_MATCH = 4
_MORE = 15


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
        raise ValueError("it unpacks to more than it may")
    if distance >= length:
        out += out[start : start + length]
    else:
        out += (out[start:] * (length // distance + 1))[:length]
