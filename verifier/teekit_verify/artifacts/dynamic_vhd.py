"""Dynamic virtual hard disks: Microsoft "Virtual Hard Disk Image Format Specification" 1.0 (2006). All numbers are big-endian.

A footer at both ends, a header, a table of blocks, and each block behind a bitmap of the sectors in it that are used. Readers do not
agree on what a sector without its bit holds, so that a disk on which it would matter is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.artifacts.magic import VHD_COOKIE, VHD_FOOTER_BYTES
from teekit_verify.artifacts.vhd import VhdFooter, parse_dynamic_footer
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError

if TYPE_CHECKING:
    from teekit_verify.artifacts.blob import Blob

_HEADER_BYTES = 1024
_LAYOUT = ">8sQQIIII"
_HEADER_COOKIE = b"cxsparse"
_VERSION = 0x00010000
_UNUSED = 0xFFFFFFFF
_SECTOR_BYTES = 512
_MAX_BLOCK_BYTES = 64 << 20
_MAX_DISK_BYTES = 2040 << 30
"""The specification's limit."""


def is_dynamic_vhd(beginning: bytes) -> bool:
    """A copy of the footer comes first."""
    return beginning.startswith(VHD_COOKIE)


@dataclass(slots=True)
class DynamicVhd:
    """As virtual_disk.Blocks. `table` is the offset of the table of blocks."""

    blob: Blob
    footer: VhdFooter
    table: int
    block_bytes: int
    _seen: int = -1

    @property
    def size_bytes(self) -> int:
        return self.footer.size_bytes

    def stretch(self, offset: int) -> Blob | int:
        """As Blocks: up to the end of a block."""
        number, inside = divmod(offset, self.block_bytes)
        place = self.table + 4 * number
        row = self.blob.read(place, 4)
        if len(row) < 4:  # noqa: PLR2004
            raise _bad("block table", place, "is beyond the end of the file")
        if (sector := int.from_bytes(row, "big")) == _UNUSED:
            return self.block_bytes - inside
        bitmap_bytes = -(-self.block_bytes // _SECTOR_BYTES // 8 // _SECTOR_BYTES) * _SECTOR_BYTES
        content = self.blob.part(sector * _SECTOR_BYTES + bitmap_bytes, self.block_bytes)
        if content.size_bytes != self.block_bytes:
            raise _bad("block", sector * _SECTOR_BYTES, "is beyond the end of the file")
        if number != self._seen:
            _require_zeros(self.blob.read(sector * _SECTOR_BYTES, bitmap_bytes), content)
            self._seen = number
        return content.part(inside, self.block_bytes)


def open_dynamic_vhd(blob: Blob) -> DynamicVhd:
    """Raises MalformedInputError with offset and field, or UnsupportedInputError for differencing disks."""
    ends = [blob.read(at, VHD_FOOTER_BYTES) for at in (0, blob.size_bytes - VHD_FOOTER_BYTES)]
    if ends[0] != ends[1]:
        raise _bad("footer", blob.size_bytes - VHD_FOOTER_BYTES, "is not as the copy of it at the beginning")
    footer, header_at = parse_dynamic_footer(ends[0])
    header = blob.read(header_at, _HEADER_BYTES)
    if len(header) < _HEADER_BYTES or not header.startswith(_HEADER_COOKIE):
        raise _bad("header", header_at, f"is truncated, or does not begin with {_HEADER_COOKIE!r}")
    _, _, table, version, entries, block_bytes, checksum = struct.unpack_from(_LAYOUT, header)
    expected = ~(sum(header[:36]) + sum(header[40:])) & 0xFFFFFFFF
    for holds, field, at, problem in (
        (checksum == expected, "checksum", 36, f"expected {expected:#010x}, found {checksum:#010x}"),
        (version >> 16 == _VERSION >> 16, "header version", 24, f"{version:#010x} is not {_VERSION:#010x}"),
        (
            _SECTOR_BYTES <= block_bytes <= _MAX_BLOCK_BYTES and not block_bytes & (block_bytes - 1),
            "block size",
            32,
            f"{block_bytes} bytes",
        ),
        (footer.size_bytes <= _MAX_DISK_BYTES, "current size", 48 - header_at, f"{footer.size_bytes} bytes"),
        (entries * block_bytes >= footer.size_bytes, "table entries", 28, f"{entries} are not enough for the disk"),
    ):
        if not holds:
            raise _bad(field, header_at + at, problem)
    return DynamicVhd(blob, footer, table, block_bytes)


def _require_zeros(bitmap: bytes, content: Blob) -> None:
    """Of the sectors without a bit, the highest bit of a byte first. What pads the bitmap says nothing."""
    bitmap = bitmap[: -(-content.size_bytes // _SECTOR_BYTES // 8)]
    if bitmap.count(0xFF) == len(bitmap):
        return
    for index, byte in enumerate(bitmap):
        data = content.read(index * 8 * _SECTOR_BYTES, 8 * _SECTOR_BYTES) if byte != 0xFF else b""  # noqa: PLR2004
        for bit in range(8):
            sector = data[bit * _SECTOR_BYTES : (bit + 1) * _SECTOR_BYTES]
            if not byte >> (7 - bit) & 1 and sector.count(0) != len(sector):
                raise UnsupportedInputError(
                    "dynamic VHD: a sector that is marked as unused is not zero, and readers interpret that differently",
                    hint="Convert the disk with `qemu-img convert -O raw`.",
                )


def _bad(field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError("dynamic VHD", field=field, offset=offset, problem=problem)
