"""VMDK, as far as one file alone has the disk: a sparse extent with its descriptor in it, plain or compressed ("streamOptimized").

Source: VMware "Virtual Disk Format" 5.0, "Hosted Sparse Extents" and "Stream-Optimized Compressed Sparse Extents". Numbers are
little-endian, and count sectors of 512 bytes.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.artifacts.magic import VMDK_MAGIC
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable

if TYPE_CHECKING:
    from teekit_verify.artifacts.blob import Blob

_SECTOR_BYTES = 512
_LAYOUT = "<4sIIQQQQIQQQ"
_ZERO_GRAINS, _COMPRESSED = 1 << 2, 1 << 16
_DIRECTORY, _AT_END = 8, (1 << 64) - 1
"""Which field of the header it is; a stream is written before its directory is known, and has that in a footer."""
_FOOTER_FROM_END = 2 * _SECTOR_BYTES
_DEFLATE = 1
_ROW_BYTES, _ZERO = 4, 1
_GRAIN_HEADER_BYTES = 12
_MAX_GRAIN_BYTES, _MAX_DESCRIPTOR_BYTES = 1 << 20, 1 << 20
_MAX_DISK_BYTES = 64 << 40
_NO_PARENT = "ffffffff"
_EXTENT = re.compile(r"(?:RW|RDONLY|NOACCESS)\s.*")
_LINE = re.compile(r"\s*([A-Za-z][\w.]*)\s*=\s*\"?([^\"]*)\"?\s*")


@dataclass(slots=True)
class Vmdk:
    """As virtual_disk.Blocks. `table` is the offset of the grain directory; `descriptor` has the lines NAME=VALUE."""

    blob: Blob
    size_bytes: int
    block_bytes: int
    rows: int
    table: int
    has_zero_grains: bool
    is_compressed: bool
    descriptor: dict[str, str]
    _kept: tuple[int, bytes] = (-1, b"")

    def stretch(self, offset: int) -> Blob | bytes | int:
        """As Blocks: up to the end of a grain."""
        number, inside = divmod(offset, self.block_bytes)
        sector = self._sector(number)
        if not sector:
            return self.block_bytes - inside
        if self.is_compressed:
            if self._kept[0] != number:
                self._kept = number, self._unpacked(number, sector * _SECTOR_BYTES)
            return self._kept[1][inside:]
        content = self.blob.part(sector * _SECTOR_BYTES, self.block_bytes)
        wanted = min(self.block_bytes, self.size_bytes - number * self.block_bytes)
        if content.size_bytes < wanted:
            raise _bad("grain", sector * _SECTOR_BYTES, "is beyond the end of the file")
        return content.part(inside, self.block_bytes)

    def _sector(self, number: int) -> int:
        """Of a grain; 0 where it is not stored."""
        table, row = divmod(number, self.rows)
        place = self._row(self.table + _ROW_BYTES * table, "grain directory")
        sector = self._row(place * _SECTOR_BYTES + _ROW_BYTES * row, "grain table") if place else 0
        return 0 if sector == _ZERO and self.has_zero_grains else sector

    def _row(self, at: int, field: str) -> int:
        found = self.blob.read(at, _ROW_BYTES)
        if len(found) < _ROW_BYTES:
            raise _bad(field, at, "is beyond the end of the file")
        return int.from_bytes(found, "little")

    def _unpacked(self, number: int, at: int) -> bytes:
        header = self.blob.read(at, _GRAIN_HEADER_BYTES).ljust(_GRAIN_HEADER_BYTES, b"\0")
        sector, size = struct.unpack("<QI", header)
        if sector * _SECTOR_BYTES != number * self.block_bytes or size > 2 * _MAX_GRAIN_BYTES:
            raise _bad("grain", at, f"is of sector {sector}, or of {size} bytes, which is not what its table says")
        state = zlib.decompressobj()
        try:
            content = state.decompress(self.blob.read(at + _GRAIN_HEADER_BYTES, size), self.block_bytes + 1)
        except zlib.error as error:
            raise _bad("grain", at, f"cannot be unpacked: {error}") from error
        wanted = min(self.block_bytes, self.size_bytes - number * self.block_bytes)
        if not state.eof or not wanted <= len(content) <= self.block_bytes:
            raise _bad("grain", at, f"unpacks to {len(content)} bytes or more, expected {self.block_bytes}")
        return content


def open_vmdk(blob: Blob) -> Vmdk:
    """Raises MalformedInputError with offset and field, or UnsupportedInputError for what other files have a part of."""
    fields = _header(blob, 0)
    if fields[_DIRECTORY] == _AT_END:
        fields = _header(blob, max(0, blob.size_bytes - _FOOTER_FROM_END))
    version, flags, capacity, grain, descriptor_at, descriptor_sectors, rows, _, directory, _ = fields
    grain_bytes = grain * _SECTOR_BYTES
    for holds, field, at, problem in (
        (1 <= version <= 3, "version", 4, f"{version} is not 1 to 3"),  # noqa: PLR2004
        (capacity * _SECTOR_BYTES <= _MAX_DISK_BYTES, "capacity", 12, f"{capacity} sectors"),
        (0 < grain_bytes <= _MAX_GRAIN_BYTES and not grain & (grain - 1), "grain size", 20, f"{grain} sectors"),
        (0 < rows <= 1 << 16, "rows of a grain table", 44, f"{rows}"),
        (0 < directory < blob.size_bytes // _SECTOR_BYTES, "grain directory", 56, "is beyond the end of the file"),
    ):
        if not holds:
            raise _bad(field, at, problem)
    is_compressed = bool(flags & _COMPRESSED)
    if is_compressed and (method := int.from_bytes(blob.read(77, 2), "little")) != _DEFLATE:
        raise UnsupportedInputError(f"VMDK: compression {method}, which is not supported")
    descriptor = _descriptor(blob, descriptor_at * _SECTOR_BYTES, descriptor_sectors * _SECTOR_BYTES)
    return Vmdk(
        *(blob, capacity * _SECTOR_BYTES, grain_bytes, rows, directory * _SECTOR_BYTES),
        has_zero_grains=bool(flags & _ZERO_GRAINS),
        is_compressed=is_compressed,
        descriptor=descriptor,
    )


def _header(blob: Blob, at: int) -> tuple[int, ...]:
    """Without the magic number. Raises MalformedInputError."""
    raw = blob.read(at, struct.calcsize(_LAYOUT))
    if len(raw) < struct.calcsize(_LAYOUT) or not raw.startswith(VMDK_MAGIC):
        raise _bad("header", at, f"is truncated, or does not begin with {VMDK_MAGIC!r}")
    return struct.unpack(_LAYOUT, raw)[1:]


def _descriptor(blob: Blob, at: int, size_bytes: int) -> dict[str, str]:
    text = blob.read(at, min(size_bytes, _MAX_DESCRIPTOR_BYTES)).split(b"\0", 1)[0].decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines()]
    found = {match[1]: match[2] for line in lines if (match := _LINE.fullmatch(line))}
    extents = [line for line in lines if _EXTENT.match(line)]
    if not at or len(extents) != 1 or " SPARSE " not in extents[0]:
        raise UnsupportedInputError("VMDK: its descriptor or its extents are in other files, which is not supported")
    if (parent := found.get("parentCID", _NO_PARENT)) != _NO_PARENT:
        raise UnsupportedInputError(f"VMDK: it needs its parent {printable(parent)}, which is not supported")
    return found


def _bad(field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError("VMDK", field=field, offset=offset, problem=problem)
