"""Methods by which members of a zip file are packed besides deflate: bzip2, LZMA and zstd.

Source: APPNOTE.TXT 6.3.10, 4.4.5 and 5.8 (LZMA).
"""

from __future__ import annotations

import bz2
import lzma
import sys
from typing import TYPE_CHECKING, Protocol

from teekit_verify.core.errors import MalformedInputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob

BZIP2, LZMA, ZSTD = 12, 14, 93
KNOWN = frozenset({BZIP2, LZMA, ZSTD})
_OUTPUT_BYTES = 1 << 18
_LZMA_HEADER_BYTES = 9
_LZMA_PROPERTIES_BYTES = 5
_MAX_DICTIONARY_BYTES = 64 << 20
_MAX_LZMA_PROPERTIES = 9 * 5 * 5
_WINDOW_LOG = 27


class _State(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def unpacked(method: int, stored: Blob, size_bytes: int, name: str) -> Iterator[bytes]:
    """In pieces, never more than `size_bytes` and one piece. Raises MalformedInputError for damaged data."""
    state, start = _state(method, stored, name)
    pieces, count = stored.pieces(start), 0
    try:
        while not state.eof and count < size_bytes:
            data = next(pieces, b"") if state.needs_input else b""
            piece = state.decompress(data, _OUTPUT_BYTES)
            if not data and not piece and state.needs_input:
                break
            count += len(piece)
            yield piece
    except (OSError, EOFError, lzma.LZMAError, zstd.ZstdError) as error:
        raise _bad(name, f"cannot be unpacked: {error}") from error


def _state(method: int, stored: Blob, name: str) -> tuple[_State, int]:
    """And where the packed bytes begin."""
    if method == BZIP2:
        return bz2.BZ2Decompressor(), 0
    if method == ZSTD:
        return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}), 0
    header = stored.read(0, _LZMA_HEADER_BYTES)
    properties, dictionary = header[4:5], int.from_bytes(header[5:], "little")
    if len(header) < _LZMA_HEADER_BYTES or int.from_bytes(header[2:4], "little") != _LZMA_PROPERTIES_BYTES:
        raise _bad(name, "the header of LZMA is truncated, or of another length")
    if properties[0] >= _MAX_LZMA_PROPERTIES or dictionary > _MAX_DICTIONARY_BYTES:
        raise _bad(name, f"the dictionary of LZMA has {dictionary} bytes, or its properties are impossible")
    rest, context = divmod(properties[0], 9)
    bits, position = divmod(rest, 5)
    filters = {"id": lzma.FILTER_LZMA1, "dict_size": max(dictionary, 4096), "lc": context, "lp": position, "pb": bits}
    try:
        return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[filters]), _LZMA_HEADER_BYTES
    except lzma.LZMAError as error:  # as of lc and lp that are more than 4 together
        raise _bad(name, f"cannot be unpacked: {error}") from error


def _bad(name: str, problem: str) -> MalformedInputError:
    return MalformedInputError("zip", field=name, offset=0, problem=problem)
