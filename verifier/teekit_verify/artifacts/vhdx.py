"""VHDX, as far as the file alone has the disk: no parent, and no log that would have to be replayed first.

Source: Microsoft [MS-VHDX] 2.2 to 2.6. Numbers are little-endian. Header and region table are there twice, each with a CRC-32C.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from teekit_verify.artifacts.blob import Blob

_KIB, _MIB = 1 << 10, 1 << 20
_HEADERS, _HEADER_BYTES = (64 * _KIB, 128 * _KIB), 4096
_REGIONS, _REGION_BYTES = (192 * _KIB, 256 * _KIB), 64 * _KIB
_MAX_ENTRIES = 2047
_MAX_METADATA_BYTES = 64 * _KIB
_MAX_DISK_BYTES = 64 << 40
_BAT = UUID("2DC27766-F623-4200-9D64-115E9BFD4A08")
_METADATA = UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E")
_PARAMETERS = UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")
_SIZE = UUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8")
_DISK_ID = UUID("BECA12AB-B2E6-4523-93EF-C309E000C746")
_LOGICAL = UUID("8141BF1D-A96F-4709-BA47-F233A8FAAB5F")
_PHYSICAL = UUID("CDA348C7-445D-4471-9CC9-E9885251C556")
_HAS_PARENT, _REQUIRED = 2, 4
_PRESENT, _ABSENT = 6, range(4)
"""States of a block: its bytes are in the file; they are not (not present, undefined, zero, unmapped), and read as zeros."""
_CHUNK_SECTORS = 1 << 23


@frozen
class Vhdx:
    """As virtual_disk.Blocks. `table` is the offset of the BAT. `creator` names a program; the two GUIDs of the header change with writes."""

    blob: Blob
    size_bytes: int
    block_bytes: int
    sector_bytes: int
    physical_bytes: int
    table: int
    table_bytes: int
    disk_id: UUID
    file_write: UUID
    data_write: UUID
    creator: str

    def stretch(self, offset: int) -> Blob | int:
        """As Blocks: up to the end of a block."""
        number, inside = divmod(offset, self.block_bytes)
        row_at = 8 * (number + number // (_CHUNK_SECTORS * self.sector_bytes // self.block_bytes))
        row = self.blob.read(self.table + row_at, 8)
        if row_at + 8 > self.table_bytes or len(row) < 8:  # noqa: PLR2004
            raise _bad("BAT", self.table + row_at, "has no entry for a block of the disk")
        value = int.from_bytes(row, "little")
        state, place = value & 7, (value >> 20) * _MIB
        if state in _ABSENT:
            return self.block_bytes - inside
        if state != _PRESENT:
            raise UnsupportedInputError(f"VHDX: a block in state {state}, which is not supported")
        content = self.blob.part(place, self.block_bytes)
        if place < _MIB or content.size_bytes < min(self.block_bytes, self.size_bytes - number * self.block_bytes):
            raise _bad("BAT", self.table + row_at, f"a block at {place:#x}, which is not in the file")
        return content.part(inside, self.block_bytes)


def open_vhdx(blob: Blob) -> Vhdx:
    """Raises MalformedInputError with offset and field, or UnsupportedInputError for what the file alone does not hold."""
    header = _header(blob)
    if any(header[48:64]):
        raise UnsupportedInputError(
            "VHDX: its log must be replayed first, which this program does not do",
            hint="Run `qemu-img check -r all` on a copy.",
        )
    regions = _regions(blob)
    table, table_bytes = regions[_BAT]
    items = _items(blob, regions[_METADATA][0])
    block_bytes, flags = struct.unpack("<II", items[_PARAMETERS])
    (size_bytes,) = struct.unpack("<Q", items[_SIZE])
    sector_bytes, physical_bytes = (struct.unpack("<I", items[name])[0] for name in (_LOGICAL, _PHYSICAL))
    if flags & _HAS_PARENT:
        raise UnsupportedInputError("VHDX: it needs a parent, which is not supported")
    if not _MIB <= block_bytes <= 256 * _MIB or block_bytes & (block_bytes - 1):
        raise _bad("block size", regions[_METADATA][0], f"{block_bytes} bytes")
    if sector_bytes not in {512, 4096} or size_bytes > _MAX_DISK_BYTES or size_bytes % sector_bytes:
        raise _bad("disk size", regions[_METADATA][0], f"{size_bytes} bytes in sectors of {sector_bytes}")
    creator = blob.read(8, 512).decode("utf-16-le", "replace").split("\0", 1)[0]
    disk_id, *writes = (UUID(bytes_le=raw) for raw in (items[_DISK_ID], header[16:32], header[32:48]))
    sectors = sector_bytes, physical_bytes
    return Vhdx(blob, size_bytes, block_bytes, *sectors, table, table_bytes, disk_id, writes[0], writes[1], creator)


def _header(blob: Blob) -> bytes:
    """The newer of the whole ones."""
    whole = [row for at in _HEADERS if (row := _checked(blob, at, _HEADER_BYTES, b"head")) is not None]
    if not whole:
        raise _bad("header", _HEADERS[0], "neither copy has a valid checksum")
    newest = max(whole, key=lambda row: int.from_bytes(row[8:16], "little"))
    if (version := int.from_bytes(newest[66:68], "little")) != 1:
        raise UnsupportedInputError(f"VHDX: version {version}, which is not supported")
    return newest


def _checked(blob: Blob, at: int, size_bytes: int, signature: bytes) -> bytes | None:
    data = blob.read(at, size_bytes)
    if len(data) < size_bytes or not data.startswith(signature):
        return None
    from teekit_verify.artifacts.crc32c import crc32c

    return data if crc32c(data[:4] + bytes(4) + data[8:]) == int.from_bytes(data[4:8], "little") else None


def _regions(blob: Blob) -> dict[UUID, tuple[int, int]]:
    """Offset and size in bytes, by GUID."""
    tables = [row for at in _REGIONS if (row := _checked(blob, at, _REGION_BYTES, b"regi")) is not None]
    if not tables:
        raise _bad("region table", _REGIONS[0], "neither copy has a valid checksum")
    count = int.from_bytes(tables[0][8:12], "little")
    if count > _MAX_ENTRIES:
        raise _bad("region table", _REGIONS[0] + 8, f"{count} entries are too many")
    found = {}
    for place in range(16, 16 + 32 * count, 32):
        raw, offset, size_bytes, required = struct.unpack_from("<16sQII", tables[0], place)
        found[UUID(bytes_le=raw)] = offset, size_bytes
        if required & 1 and UUID(bytes_le=raw) not in {_BAT, _METADATA}:
            raise UnsupportedInputError("VHDX: a required region is unknown")
    if not {_BAT, _METADATA} <= found.keys():
        raise _bad("region table", _REGIONS[0], "has no block table, or no metadata")
    return found


def _items(blob: Blob, region: int) -> dict[UUID, bytes]:
    table = blob.read(region, _MAX_METADATA_BYTES)
    count = int.from_bytes(table[10:12], "little")
    if not table.startswith(b"metadata") or count > _MAX_ENTRIES or len(table) < 32 * (count + 1):
        raise _bad("metadata", region, "is truncated or malformed")
    sizes = {_PARAMETERS: 8, _SIZE: 8, _DISK_ID: 16, _LOGICAL: 4, _PHYSICAL: 4}
    found: dict[UUID, bytes] = {}
    for place in range(32, 32 * (count + 1), 32):
        raw, offset, size_bytes, flags = struct.unpack_from("<16sIII", table, place)
        name = UUID(bytes_le=raw)
        if name in sizes:
            found[name] = blob.read(region + offset, size_bytes) if size_bytes == sizes[name] else b""
        elif flags & _REQUIRED:
            raise UnsupportedInputError("VHDX: a required item of its metadata is unknown")
    if any(len(found.get(name, b"")) != size for name, size in sizes.items()):
        raise _bad("metadata", region, "lacks an item, or has one of another size")
    return found


def _bad(field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError("VHDX", field=field, offset=offset, problem=problem)
