"""The disk in a qcow2 file, as far as the file alone has it: no backing file, no encryption, no external data.

Source: QEMU, docs/interop/qcow2.rst ("Header", "Cluster mapping"). Numbers are big-endian. Internal snapshots are counted, not read.
"""

from __future__ import annotations

import struct
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.artifacts.magic import QCOW2_MAGIC
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob

MAX_DISK_BYTES = 16 << 30
_MAX_CLUSTERS = 1 << 22
_HEADER_BYTES, _VERSION_3_BYTES = 72, 104
_FEATURES = {1: "it is marked as corrupt", 2: "an external data file", 4: "extended L2 entries"}
"""Incompatible features, by their bits, that are not read; bit 0 (dirty) is about reference counts, bit 3 about `compression`."""
_READ_FEATURES = 0b1001
_OFFSET = 0x00FF_FFFF_FFFF_FE00
_COMPRESSED, _ZERO = 1 << 62, 1
_SECTOR_BYTES = 512
_ENTRY_BYTES = 8
_ZLIB, _ZSTD = 0, 1
_WINDOW_LOG = 27


@frozen
class Qcow2:
    """What the header says. `size_bytes` is that of the disk, `first_table` the offset of the L1 table."""

    version: int
    size_bytes: int
    cluster_bits: int
    first_table: int
    snapshots: int
    compression: int

    @property
    def cluster_bytes(self) -> int:
        return 1 << self.cluster_bits


def read_header(blob: Blob, *, most_bytes: int = MAX_DISK_BYTES) -> Qcow2:
    """`most_bytes`: of the disk. Raises MalformedInputError, or UnsupportedInputError for what the file alone does not hold."""
    header = blob.read(0, _VERSION_3_BYTES + _ENTRY_BYTES).ljust(_VERSION_3_BYTES + _ENTRY_BYTES, b"\0")
    if blob.size_bytes < _HEADER_BYTES or header[:4] != QCOW2_MAGIC:
        raise _bad("header", 0, "is truncated, or has the wrong magic number")
    version, backing, _, cluster_bits, size_bytes, encryption, tables, first_table = struct.unpack_from(
        ">IQIIQIIQ", header, 4
    )
    snapshots = int.from_bytes(header[60:64], "big")
    features, compression = _version_3(header) if version == 3 else (0, _ZLIB)  # noqa: PLR2004
    if version not in {2, 3}:
        raise UnsupportedInputError(f"qcow2: version {version}, which is not supported")
    if not 9 <= cluster_bits <= 21:  # noqa: PLR2004
        raise _bad("cluster_bits", 20, f"{cluster_bits} is not 9 to 21")
    _require_readable(backing, encryption, features, compression)
    if size_bytes > most_bytes or (most_bytes == MAX_DISK_BYTES and size_bytes >> cluster_bits > _MAX_CLUSTERS):
        raise UnsupportedInputError(f"qcow2: a disk of {size_bytes} bytes, more than this program reads")
    needed = -(-size_bytes // (1 << cluster_bits) // _entries(cluster_bits))
    if tables < needed:
        raise _bad("l1_size", 36, f"{tables} entries, {needed} are needed for {size_bytes} bytes")
    return Qcow2(version, size_bytes, cluster_bits, first_table, snapshots, compression)


def _version_3(header: bytes) -> tuple[int, int]:
    """Incompatible features and the compression type, which shorter headers do not have."""
    length = int.from_bytes(header[100:104], "big")
    return int.from_bytes(header[72:80], "big"), header[104] if length > _VERSION_3_BYTES else _ZLIB


def _require_readable(backing: int, encryption: int, features: int, compression: int) -> None:
    problem = next((words for bit, words in _FEATURES.items() if features >> bit & 1), "")
    if backing:
        problem = "it needs a backing file"
    elif encryption:
        problem = "it is encrypted"
    elif not problem and features & ~_READ_FEATURES:
        problem = f"features {features:#x}"
    elif not problem and compression not in {_ZLIB, _ZSTD}:
        problem = f"compression type {compression}"
    if problem:
        raise UnsupportedInputError(f"qcow2: {problem}, which is not supported")


def clusters(blob: Blob, header: Qcow2) -> Iterator[tuple[int, bytes]]:
    """(offset in the disk, content) of each cluster that is not all zeros, in order. Raises MalformedInputError."""
    entries = _entries(header.cluster_bits)
    covered = entries << header.cluster_bits
    for number in range(-(-header.size_bytes // covered)):
        table = _entry(blob, header.first_table + number * _ENTRY_BYTES, "L1 table") & _OFFSET
        if not table:
            continue
        rows = blob.read(table, header.cluster_bytes)
        if len(rows) < header.cluster_bytes:
            raise _bad("L2 table", table, "is beyond the end of the file")
        left = header.size_bytes - number * covered
        for index in range(min(entries, -(-left // header.cluster_bytes))):
            row = int.from_bytes(rows[index * _ENTRY_BYTES : (index + 1) * _ENTRY_BYTES], "big")
            content = _cluster(blob, header, row)[: left - (index << header.cluster_bits)] if row else b""
            if content.strip(b"\0"):
                yield number * covered + (index << header.cluster_bits), content


@dataclass(slots=True)
class Qcow2Blocks:
    """The disk for readers of few of its bytes (`virtual_disk.Blocks`): a cluster at a time, of which the last one is kept."""

    blob: Blob
    header: Qcow2
    _kept: tuple[int, bytes] = (-1, b"")

    @property
    def size_bytes(self) -> int:
        return self.header.size_bytes

    def stretch(self, offset: int) -> bytes | int:
        """As Blocks."""
        number, inside = divmod(offset, self.header.cluster_bytes)
        if self._kept[0] != number:
            table, index = divmod(number, _entries(self.header.cluster_bits))
            place = _entry(self.blob, self.header.first_table + table * _ENTRY_BYTES, "L1 table") & _OFFSET
            row = _entry(self.blob, place + index * _ENTRY_BYTES, "L2 table") if place else 0
            self._kept = number, _cluster(self.blob, self.header, row) if row else b""
        return self._kept[1][inside:] or self.header.cluster_bytes - inside


def _entries(cluster_bits: int) -> int:
    """Of an L2 table, which takes one cluster."""
    return (1 << cluster_bits) // _ENTRY_BYTES


def _entry(blob: Blob, offset: int, field: str) -> int:
    data = blob.read(offset, _ENTRY_BYTES)
    if len(data) < _ENTRY_BYTES:
        raise _bad(field, offset, "is beyond the end of the file")
    return int.from_bytes(data, "big")


def _cluster(blob: Blob, header: Qcow2, row: int) -> bytes:
    if row & _COMPRESSED:
        return _unpacked(blob, header, row)
    offset = row & _OFFSET
    if not offset or (row & _ZERO and header.version > 2):  # noqa: PLR2004
        return b""
    content = blob.read(offset, header.cluster_bytes)
    if not content:
        raise _bad("cluster", offset, "is beyond the end of the file")
    return content.ljust(header.cluster_bytes, b"\0")  # the last one in a file may be cut, as QEMU reads it


def _unpacked(blob: Blob, header: Qcow2, row: int) -> bytes:
    """The bits below 62 are an offset and, above it, the number of further sectors that the compressed bytes reach into."""
    bits = 62 - (header.cluster_bits - 8)
    offset, sectors = row & ((1 << bits) - 1), (row & (_COMPRESSED - 1)) >> bits
    packed = blob.read(offset, (sectors + 1) * _SECTOR_BYTES - offset % _SECTOR_BYTES)
    try:
        if header.compression == _ZSTD:
            state = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})
            content = state.decompress(packed, header.cluster_bytes)
        else:
            content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, header.cluster_bytes)
    except (zlib.error, zstd.ZstdError, ValueError) as error:
        raise _bad("compressed cluster", offset, printable(str(error))) from error
    if len(content) != header.cluster_bytes:
        raise _bad("compressed cluster", offset, f"unpacks to {len(content)} bytes, not to a cluster")
    return content


def _bad(field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError("qcow2", field=field, offset=offset, problem=problem)
