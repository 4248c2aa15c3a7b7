"""PE32+ images made field by field (Microsoft "PE Format"), so that a test knows where every byte is."""

from __future__ import annotations

import struct
from dataclasses import dataclass

FILE_ALIGNMENT = 512
MEMORY_ALIGNMENT = 4096
NT_OFFSET = 0x80
OPTIONAL_OFFSET = NT_OFFSET + 24
CHECKSUM_OFFSET = OPTIONAL_OFFSET + 64
CERTIFICATE_ENTRY_OFFSET = OPTIONAL_OFFSET + 112 + 8 * 4
X86_64, AARCH64 = 0x8664, 0xAA64


@dataclass(frozen=True)
class Row:
    """A section; `virtual_size` overrides the size of its content, `at` its place in memory."""

    name: str
    content: bytes
    virtual_size: int | None = None
    at: int | None = None


def section_table_offset(directories: int = 16) -> int:
    return OPTIONAL_OFFSET + 112 + 8 * directories


def build_pe(
    rows: list[Row],
    *,
    machine: int = X86_64,
    directories: int = 16,
    certificate: bytes = b"",
    trailing: bytes = b"",
) -> bytes:
    """An EFI application with these sections; the certificate table comes last, as signing tools put it."""
    header_bytes = _up(section_table_offset(directories) + 40 * len(rows), FILE_ALIGNMENT)
    table, body, address = b"", b"", _up(header_bytes, MEMORY_ALIGNMENT)
    for row in rows:
        size = len(row.content) if row.virtual_size is None else row.virtual_size
        raw = row.content + bytes(-len(row.content) % FILE_ALIGNMENT)
        place = address if row.at is None else row.at
        offset = header_bytes + len(body)
        table += struct.pack("<8sIIIIIIHHI", row.name.encode(), size, place, len(raw), offset, 0, 0, 0, 0, 0x40000040)
        body += raw
        address = _up(max(address, place + size), MEMORY_ALIGNMENT)
    entry = (header_bytes + len(body) + len(trailing), len(certificate)) if certificate else (0, 0)
    optional = struct.pack(
        "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII",
        *(0x20B, 0, 0, 0, 0, 0, 0, 0, 0, MEMORY_ALIGNMENT, FILE_ALIGNMENT, 0, 0, 0, 0, 0, 0, 0),
        *(address, header_bytes, 0x11223344, 10, 0, 0, 0, 0, 0, 0, directories),
    )
    listed = b"".join(struct.pack("<II", *(entry if index == 4 else (0, 0))) for index in range(directories))
    file_header = struct.pack("<HHIIIHH", machine, len(rows), 0, 0, 0, 112 + 8 * directories, 0x22E)
    dos = b"MZ" + bytes(58) + struct.pack("<I", NT_OFFSET)
    head = dos.ljust(NT_OFFSET, b"\0") + b"PE\0\0" + file_header + optional + listed + table
    return head.ljust(header_bytes, b"\0") + body + trailing + certificate


def _up(value: int, alignment: int) -> int:
    return -(-value // alignment) * alignment
