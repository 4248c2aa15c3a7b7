"""Firmware volumes: which files a UEFI firmware has, by the GUIDs that name them.

Formats: UEFI Platform Initialization Specification 1.8, volume 3: 2.2 and 3.2.1 (EFI_FIRMWARE_VOLUME_HEADER), 3.2.3
(EFI_FFS_FILE_HEADER), 3.2.4 (sections). edk2 compresses the inner volumes with LZMA, in a section named by a GUID
(MdeModulePkg/Include/Guid/LzmaDecompress.h).
"""

from __future__ import annotations

import lzma
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

_SIGNATURE = b"_FVH"
_SIGNATURE_OFFSET = 40
_LEAST_HEADER_BYTES = 56
_FILE_SYSTEMS = (UUID("8c8ce578-8a3d-4f1c-9935-896185c32dd3"), UUID("5473c07a-3dcb-4dca-bd6f-1e9689e7349a"))
"""EFI_FIRMWARE_FILE_SYSTEM2_GUID and 3: other volumes hold no files, but variables."""
_LZMA = UUID("ee4e5898-3914-4259-9d6e-dc7bd79403cf")
_VOLUME_FILE, _PAD_FILE = 0x0B, 0xF0
_LARGE_FILE = 0x01
_GUID_SECTION, _COMPRESSED_SECTION, _VOLUME_SECTION = 0x02, 0x01, 0x17
_PROCESSING_REQUIRED = 0x01
_FREE = b"\xff" * 24
_MAX_DEPTH = 4
_MAX_FILES = 4096
_MAX_UNPACKED_BYTES = 64 << 20
"""edk2's OVMF has 16 MiB. All compressed sections together."""


@frozen
class FirmwareVolume:
    """A volume with files, or without. `name` is None for one that has none."""

    name: UUID | None
    files: frozenset[UUID]


@dataclass(slots=True)
class _Budget:
    """What untrusted bytes may still make us do."""

    files: int = _MAX_FILES
    unpacked_bytes: int = _MAX_UNPACKED_BYTES
    found: list[FirmwareVolume] = field(default_factory=list)


def read_volumes(data: memoryview) -> tuple[FirmwareVolume, ...]:
    """The volumes that lie one behind another from the start of `data`, and those within them, outer ones first.

    Raises MalformedInputError, and UnsupportedInputError for a compression that is not edk2's.
    """
    budget = _Budget()
    _read(data, 1, budget)
    return tuple(budget.found)


def _read(data: memoryview, depth: int, budget: _Budget) -> None:
    start = 0
    while start + _LEAST_HEADER_BYTES <= len(data) and data[start + _SIGNATURE_OFFSET :][:4] == _SIGNATURE:
        start += _read_volume(Reader(data[start:], "firmware volume"), depth, budget)


def _read_volume(reader: Reader, depth: int, budget: _Budget) -> int:
    """Returns the volume's size in bytes, which is at least that of its header."""
    whole = reader.data
    reader.take(16, "zero vector")
    file_system = _guid(reader, "file system")
    size_bytes = reader.u64("length")
    reader.take(8, "signature and attributes")
    header_bytes, _, name_offset = reader.unpack("HHH", "header length")
    if not _LEAST_HEADER_BYTES <= header_bytes <= size_bytes <= len(whole):
        raise reader.fail("length", f"{size_bytes} bytes with a header of {header_bytes}, {len(whole)} are left")
    name, first = None, header_bytes
    if name_offset:
        extended = Reader(whole[:size_bytes], "extended header of a firmware volume", position=name_offset)
        name = _guid(extended, "name")
        first = name_offset + extended.u32("size")
    position = len(budget.found)
    files = Reader(whole[:size_bytes], "firmware volume", position=min(_aligned(first, 8), size_bytes))
    names = frozenset(_files(files, depth, budget)) if file_system in _FILE_SYSTEMS else frozenset()
    budget.found.insert(position, FirmwareVolume(name, names))
    return size_bytes


def _files(reader: Reader, depth: int, budget: _Budget) -> Iterator[UUID]:
    while reader.remaining >= len(_FREE) and reader.data[reader.position :][: len(_FREE)] != _FREE:
        budget.files -= 1
        if budget.files < 0:
            raise reader.fail("file", f"there are more than {_MAX_FILES}")
        start = reader.position
        name = _guid(reader, "file name")
        _, kind, attributes = reader.unpack("HBB", "file type")
        size_bytes = int.from_bytes(reader.take(3, "file size"), "little")
        reader.take(1, "file state")
        if attributes & _LARGE_FILE:
            size_bytes = reader.u64("file size")
        content = reader.take(start + size_bytes - reader.position, "file")
        if kind == _VOLUME_FILE:
            _sections(Reader(content, "section of a firmware file"), depth, budget)
        if kind != _PAD_FILE:
            yield name
        reader.position = min(_aligned(reader.position, 8), len(reader.data))


def _sections(reader: Reader, depth: int, budget: _Budget) -> None:
    if depth > _MAX_DEPTH:
        raise reader.fail("nesting", f"more than {_MAX_DEPTH} volumes within each other")
    while reader.remaining >= 4:  # noqa: PLR2004 - a section's header
        start = reader.position
        size_bytes = int.from_bytes(reader.take(3, "size"), "little")
        kind = reader.u8("type")
        if size_bytes == 0xFFFFFF:  # noqa: PLR2004 - EFI_COMMON_SECTION_HEADER2
            size_bytes = reader.u32("size")
        content = reader.take(start + size_bytes - reader.position, "section")
        if kind == _VOLUME_SECTION:
            _read(content, depth + 1, budget)
        elif kind == _COMPRESSED_SECTION:
            raise UnsupportedInputError("firmware: a section is compressed, and not with edk2's LZMA")
        elif kind == _GUID_SECTION:
            _sections(Reader(_unpacked(content, budget), reader.what), depth + 1, budget)
        reader.position = min(_aligned(reader.position, 4), len(reader.data))


def _unpacked(section: memoryview, budget: _Budget) -> memoryview:
    """The content of a section that a GUID names the encoding of."""
    reader = Reader(section, "section of a firmware file", base=4)
    encoding = _guid(reader, "GUID")
    data_offset, attributes = reader.unpack("HH", "data offset")
    # The offset counts from the section's header, of 4 bytes (8 for one of 16 MiB and more, which edk2 does not make).
    reader.take(data_offset - 4 - reader.position, "data offset")
    content = reader.take(reader.remaining, "data")
    if encoding != _LZMA:
        if attributes & _PROCESSING_REQUIRED:
            raise UnsupportedInputError(f"firmware: a section has an unknown encoding: {encoding}")
        return content
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=2 * _MAX_UNPACKED_BYTES)
    try:
        unpacked = unpacker.decompress(content, max_length=budget.unpacked_bytes + 1)
    except lzma.LZMAError as error:
        raise reader.fail("LZMA data", str(error)) from error
    budget.unpacked_bytes -= len(unpacked)
    if budget.unpacked_bytes < 0:
        raise reader.fail("LZMA data", f"unpacks to more than {_MAX_UNPACKED_BYTES >> 20} MiB")
    return memoryview(unpacked)


def _guid(reader: Reader, what: str) -> UUID:
    return UUID(bytes_le=bytes(reader.take(16, what)))


def _aligned(position: int, multiple: int) -> int:
    return -(-position // multiple) * multiple
