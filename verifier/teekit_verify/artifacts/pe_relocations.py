"""Base relocations: the places that a loader rewrites when it puts an image elsewhere than at its preferred address.

Microsoft "PE Format", ".reloc Section": blocks of a page's address, the block's size, and 16-bit entries, whose upper 4 bits
are a type and whose lower 12 an offset in the page. edk2 applies those of types 1, 2, 3 and 10
(MdePkg/Library/BasePeCoffLib/BasePeCoff.c, PeCoffLoaderRelocateImage()) and fails on others.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from teekit_verify.artifacts.pe import Span
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.pe import PeImage, PeSection

_WHAT = "base relocations"
_MAX_TABLE_BYTES = 1 << 20
"""systemd-stub has less than 4 KiB of them."""
_WRITTEN_BYTES = {1: 2, 2: 2, 3: 4, 10: 8}
"""By type: HIGH, LOW, HIGHLOW, DIR64. Type 0 only fills a block."""


def relocated(data: memoryview, image: PeImage) -> Iterator[Span]:
    """What a loader may rewrite, relative to the image base. Raises MalformedInputError, UnsupportedInputError."""
    table = b"" if image.relocations is None else _table(data, image)
    at = 0
    while at + 8 <= len(table):
        page, size_bytes = struct.unpack_from("<II", table, at)
        if not 8 <= size_bytes <= len(table) - at:  # noqa: PLR2004 - the block's header
            raise MalformedInputError(
                _WHAT, field="block size", offset=at + 4, problem=f"{size_bytes} bytes do not fit the table"
            )
        entries = size_bytes // 2 - 4
        for entry in struct.unpack_from(f"<{entries}H", table, at + 8):
            kind, place = entry >> 12, page + (entry & 0xFFF)
            if kind:
                yield Span(place, place + _written_bytes(kind, at))
        at += size_bytes


def _written_bytes(kind: int, block: int) -> int:
    if kind not in _WRITTEN_BYTES:
        raise UnsupportedInputError(
            f"{_WHAT}: the block at {block:#x} has an entry of type {kind}, which x86-64 does not use"
        )
    return _WRITTEN_BYTES[kind]


def _table(data: memoryview, image: PeImage) -> bytes:
    span = image.relocations
    assert span is not None  # noqa: S101 - for the type checker
    if span.size_bytes > _MAX_TABLE_BYTES:
        raise UnsupportedInputError(f"{_WHAT}: {span.size_bytes} bytes, at most {_MAX_TABLE_BYTES} are read")
    for row in image.sections:
        if _holds(row, span):
            start = row.raw_offset + span.start - row.virtual_address
            return bytes(data[start : start + span.size_bytes])
    raise UnsupportedInputError(f"{_WHAT}: the table at {span.start:#x} is in no section of the file")


def _holds(row: PeSection, span: Span) -> bool:
    in_file = min(row.raw_size, row.memory_bytes)
    return row.virtual_address <= span.start and span.stop <= row.virtual_address + in_file
