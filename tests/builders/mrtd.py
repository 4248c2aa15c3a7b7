"""MRTD again, written from the TDX module's specification alone, one extension buffer at a time."""

from __future__ import annotations

import hashlib

from builders import tdvf as build


def mrtd_of_rows(image: bytes, rows: list[build.Row], order: str) -> str:
    """`order` is "single" or "two".

    Base architecture specification, 12.2.1, and ABI specification, TDH.MEM.PAGE.ADD and TDH.MR.EXTEND.
    """
    digest = hashlib.sha384()

    def extension_buffer(name: str, gpa: int) -> bytearray:
        buffer = bytearray(128)
        for index, character in enumerate(name):
            buffer[index] = ord(character)
        for index in range(8):
            buffer[16 + index] = gpa >> 8 * index & 0xFF
        return buffer

    def page_add(row: build.Row, page: int) -> None:
        digest.update(extension_buffer("MEM.PAGE.ADD", row.address + page))

    def extend(row: build.Row, memory: bytes, page: int) -> None:
        for chunk in range(page, page + 4096, 256):
            digest.update(extension_buffer("MR.EXTEND", row.address + chunk))
            digest.update(memory[chunk : chunk + 128])
            digest.update(memory[chunk + 128 : chunk + 256])

    for row in rows:
        pages = range(0, row.memory_size, 4096)
        memory = image[row.data_offset : row.data_offset + row.raw_size].ljust(row.memory_size, b"\0")
        measured = row.attributes & build.EXTEND
        for page in pages:
            page_add(row, page)
            if measured and order == "single":
                extend(row, memory, page)
        for page in pages:
            if measured and order == "two":
                extend(row, memory, page)
    return digest.hexdigest()
