"""Single blocks as file systems pack them: the whole block in memory, and never more than the block may hold."""

from __future__ import annotations

import lzma
import sys
import zlib
from typing import TYPE_CHECKING

from teekit_verify.artifacts.lz4_block import lz4_block
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
    return _whole(zlib.decompressobj().decompress(data, limit_bytes + 1), limit_bytes)


def _xz(data: bytes, limit_bytes: int) -> bytes:
    state = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)
    return _whole(state.decompress(data, limit_bytes + 1), limit_bytes)


def _lzma(data: bytes, limit_bytes: int) -> bytes:
    state = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY_BYTES)
    return _whole(state.decompress(data, limit_bytes + 1), limit_bytes)


def _zstd(data: bytes, limit_bytes: int) -> bytes:
    state = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
    try:
        return _whole(state.decompress(data, limit_bytes + 1), limit_bytes)
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from error


def _whole(data: bytes, limit_bytes: int) -> bytes:
    if len(data) > limit_bytes:
        raise ValueError(f"it unpacks to more than {limit_bytes} bytes")
    return data


_CODECS: dict[str, Callable[[bytes, int], bytes]] = {
    "zlib": _zlib,
    "xz": _xz,
    "lzma": _lzma,
    "lz4": lz4_block,
    "zstd": _zstd,
}
