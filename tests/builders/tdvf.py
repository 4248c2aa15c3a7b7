"""TDX firmware made field by field, as edk2 OvmfPkg/ResetVector lays it out: metadata, GUIDed table, reset vector."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from uuid import UUID

BFV, CFV, TD_HOB, TEMP_MEM, PERM_MEM = range(5)
EXTEND, AUG = 1, 2
FOOTER = UUID("96b582de-1fb2-45f7-baea-a366c55a082d")
METADATA = UUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
SEV_INFO = UUID("4c2eb361-7d9b-4cc3-8081-127c90d3d294")
FIRMWARE_BYTES = 0x8000
METADATA_OFFSET = 0x7000
TABLE_END = FIRMWARE_BYTES - 32


@dataclass(frozen=True)
class Row:
    """A section of the metadata, in the order of its fields."""

    data_offset: int
    raw_size: int
    address: int
    memory_size: int
    kind: int
    attributes: int = 0


ROWS = [
    Row(0x4000, 0x4000, 0xFFFFC000, 0x4000, BFV, EXTEND),
    Row(0, 0x3000, 0xFFFF8000, 0x4000, CFV),
    Row(0, 0, 0x810000, 0x2000, TEMP_MEM),
    Row(0, 0, 0x809000, 0x2000, TD_HOB),
]
"""As edk2 has them: code that is measured, variables that are not, and a little more memory than data."""

GOOGLE_ROWS = [ROWS[0], Row(0, 0x4000, 0xFFFF8000, 0x4000, CFV), *ROWS[2:]]
"""Volumes that fill the file and their memory, which Google Cloud asks for."""


def entry(guid: UUID, data: bytes) -> bytes:
    return data + struct.pack("<H", len(data) + 18) + guid.bytes_le


def build_tdvf(
    rows: list[Row] | None = None,
    *,
    size: int = FIRMWARE_BYTES,
    entries: bytes | None = None,
    version: int = 1,
    signature: bytes = b"TDVF",
    count: int | None = None,
    length: int | None = None,
    fill: bytes | None = None,
) -> bytes:
    """A firmware of `size` bytes; `entries` replaces the GUIDed table's entries, `fill` the code and variables."""
    rows = ROWS if rows is None else rows
    packed = b"".join(
        struct.pack("<IIQQII", row.data_offset, row.raw_size, row.address, row.memory_size, row.kind, row.attributes)
        for row in rows
    )
    image = bytearray(fill if fill is not None else bytes(index * 7 % 251 for index in range(size)))
    at = METADATA_OFFSET + size - FIRMWARE_BYTES
    head = signature + struct.pack("<III", length or 16 + len(packed), version, len(rows) if count is None else count)
    image[at : at + len(head) + len(packed)] = head + packed
    if entries is None:
        entries = entry(SEV_INFO, bytes(4)) + entry(METADATA, struct.pack("<I", size - at)) + entry(SEV_INFO, b"")
    table = entries + struct.pack("<H", len(entries) + 18) + FOOTER.bytes_le
    image[size - 32 - len(table) : size - 32] = table
    return bytes(image)
