"""Single blocks as file systems pack them: the whole block in memory, and never more than the block may hold."""

from __future__ import annotations

import lzma
import sys
import zlib
from typing import TYPE_CHECKING, Protocol

from teekit_verify.artifacts.lz4_block import lz4_block
from teekit_verify.artifacts.lzo_block import lzo1x
from teekit_verify.core.errors import UnsupportedInputError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

_XZ_MEMORY_BYTES = 64 << 20
_WINDOW_LOG = 24


def block_codec(name: str, what: str) -> Callable[[bytes, int], bytes]:
    """By its name. Called with the packed bytes and the most that they may unpack to; raises ValueError for what is damaged.

    Raises UnsupportedInputError for a name it does not know.
    """
    codec = _CODECS.get(name)
    if codec is None:
        raise UnsupportedInputError(f"{what}: compressed with {name}, which is not supported")
    return codec


def _zlib(data: bytes, limit_bytes: int) -> bytes:
    state = zlib.decompressobj()
    return _whole(state, state.decompress(data, limit_bytes + 1), limit_bytes)


def _xz(data: bytes, limit_bytes: int) -> bytes:
    state = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)
    return _whole(state, state.decompress(data, limit_bytes + 1), limit_bytes)


def _lzma(data: bytes, limit_bytes: int) -> bytes:
    state = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY_BYTES)
    return _whole(state, state.decompress(data, limit_bytes + 1), limit_bytes)


def _zstd(data: bytes, limit_bytes: int) -> bytes:
    state = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
    try:
        return _whole(state, state.decompress(data, limit_bytes + 1), limit_bytes)
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from error


class _Ends(Protocol):
    @property
    def eof(self) -> bool: ...


def _whole(state: _Ends, data: bytes, limit_bytes: int) -> bytes:
    """With the end that has the checksum, which was checked then."""
    if len(data) > limit_bytes:
        raise ValueError(f"it unpacks to more than {limit_bytes} bytes")
    if not state.eof:
        raise ValueError("it ends before its end mark")
    return data


_CODECS: dict[str, Callable[[bytes, int], bytes]] = {
    "zlib": _zlib,
    "xz": _xz,
    "lzma": _lzma,
    "lz4": lz4_block,
    "lzo": lzo1x,
    "zstd": _zstd,
}
