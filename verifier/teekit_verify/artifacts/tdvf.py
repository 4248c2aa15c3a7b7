"""TDX virtual firmware: the GUIDed table at its end, and the TDVF metadata that tells a VMM what to load and to measure.

Formats: edk2 OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm (the table) and X64/IntelTdxMetadata.nasm.inc (descriptor
and sections) at c5aa7e7d; "Intel TDX Virtual Firmware Design Guide" (344991-004US), 11. The checks of a section are
those of QEMU hw/i386/tdvf.c, tdvf_parse_and_check_section_entry(): firmware that fails them does not start.
"""

from __future__ import annotations

from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.artifacts import mapped
from teekit_verify.artifacts.magic import BYTES_AFTER_TDVF_TABLE, TDVF_FOOTER, is_firmware
from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.core.files import open_input
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.core.files import OpenedInput

PAGE_BYTES = 4096
FOOTER_GUID = UUID(bytes_le=TDVF_FOOTER)
METADATA_GUID = UUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
_ENTRY_TRAILER_BYTES = 18
"""Each entry ends with its length (u16, the trailer included) and its GUID; so does the table, with its footer."""
_DESCRIPTOR_BYTES = 16
_VERSION = 1
_MAX_FIRMWARE_BYTES = 64 << 20
_MAX_SECTIONS = 64
_MAX_MEMORY_BYTES = 64 << 20
"""All sections together; edk2 has about 4 MiB. Every page takes time to measure."""
_MAX_ADDRESS = 1 << 52


class SectionType(IntEnum):
    """What a section is for. edk2 uses the first four, td-shim all of them."""

    BFV = 0
    CFV = 1
    TD_HOB = 2
    TEMP_MEM = 3
    PERM_MEM = 4
    PAYLOAD = 5
    PAYLOAD_PARAM = 6


_WITHOUT_DATA = (SectionType.TD_HOB, SectionType.TEMP_MEM)
_WITH_DATA = (SectionType.BFV, SectionType.CFV)


@frozen
class TdvfSection:
    """A row of the metadata. Sizes and offsets are in bytes; the address is guest physical."""

    data_offset: int
    raw_size: int
    memory_address: int
    memory_size: int
    type: SectionType
    attributes: int

    @property
    def extends_mr(self) -> bool:
        """Attribute bit 0, MR.EXTEND: the content is measured, not only the place."""
        return bool(self.attributes & 1)

    @property
    def page_aug(self) -> bool:
        """Attribute bit 1, PAGE.AUG: the pages come after the build, and are not measured."""
        return bool(self.attributes & 2)


@frozen
class TdxFirmware:
    """A firmware image over a buffer. `sections` keeps the order of the metadata, which is the order of measuring."""

    data: memoryview
    sections: tuple[TdvfSection, ...]

    def content(self, section: TdvfSection) -> memoryview:
        """The section's bytes in the file; the memory beyond them is zero."""
        return self.data[section.data_offset : section.data_offset + section.raw_size]

    def only(self, kind: SectionType) -> TdvfSection:
        """The one section of that type. Raises UnsupportedInputError if there is none, or more than one."""
        found = [section for section in self.sections if section.type is kind]
        if len(found) != 1:
            raise UnsupportedInputError(
                f"firmware: expected one {kind.name} section in its metadata, found {len(found)}"
            )
        return found[0]


def is_tdvf(path: Path) -> bool:
    """Whether the file ends as OVMF does: with the GUIDed table's footer. False for what cannot be read."""
    try:
        with open_input(path) as file:
            return is_firmware(file)
    except TeekitError:
        return False


@contextmanager
def open_tdvf(path: Path) -> Iterator[TdxFirmware]:
    """Map a firmware file read-only; the value must not be used after the `with` block."""
    with open_input(path) as file, firmware_in(file) as firmware:
        yield firmware


@contextmanager
def firmware_in(file: OpenedInput) -> Iterator[TdxFirmware]:
    """The same of an opened file."""
    _check_size(file.size_bytes, str(file.path))
    with mapped.whole(file) as view:
        yield parse_tdvf(view, what=str(file.path))


def parse_tdvf(data: bytes | memoryview, *, what: str = "firmware") -> TdxFirmware:
    """Parse a firmware image. Raises MalformedInputError, or UnsupportedInputError for firmware not built for TDX."""
    view = data if isinstance(data, memoryview) else memoryview(data)
    _check_size(len(view), what)
    table = _guided_table(view, what)
    if METADATA_GUID not in table:
        raise UnsupportedInputError(
            f"{what}: its GUIDed table has no TDX metadata: this firmware is not built for TDX",
            hint="Give an OVMF.fd built with TDX support.",
        )
    entry = table[METADATA_GUID]
    position = entry.position
    if entry.remaining != 4:  # noqa: PLR2004 - one u32
        raise entry.fail("TDX metadata entry", f"expected 4 bytes, found {entry.remaining}")
    from_end = entry.u32("TDX metadata offset")
    if not _DESCRIPTOR_BYTES <= from_end <= len(view):
        entry.position = position
        raise entry.fail("TDX metadata offset", f"{from_end:#x} from the end is not inside the firmware")
    return TdxFirmware(view, _sections(Reader(view, what, position=len(view) - from_end)))


def _check_size(size_bytes: int, what: str) -> None:
    if not PAGE_BYTES <= size_bytes <= _MAX_FIRMWARE_BYTES:
        raise MalformedInputError(
            what,
            field="file size",
            offset=0,
            problem=f"{size_bytes} bytes is not {PAGE_BYTES} bytes to {_MAX_FIRMWARE_BYTES >> 20} MiB",
        )


def _guided_table(view: memoryview, what: str) -> dict[UUID, Reader]:
    """The entries' data by GUID. The table is read backwards from its footer; of two equal GUIDs the later one counts,
    which a VMM finds first.
    """
    end = len(view) - BYTES_AFTER_TDVF_TABLE
    footer = UUID(bytes_le=bytes(view[end - 16 : end]))
    if footer != FOOTER_GUID:
        raise MalformedInputError(
            what,
            field="GUIDed table footer",
            offset=end - 16,
            problem=f"expected {FOOTER_GUID}, found {footer}",
            hint="Give OVMF as one file with its variable store (OVMF.fd).",
        )
    _, table_bytes, _ = _trailer(view, end, end, what)
    first = end - table_bytes
    entries: dict[UUID, Reader] = {}
    end -= _ENTRY_TRAILER_BYTES
    while end > first:
        guid, _, start = _trailer(view, end, end - first, what)
        stop = end - _ENTRY_TRAILER_BYTES
        entries.setdefault(guid, Reader(view[start:stop], what, base=start))
        end = start
    return entries


def _trailer(view: memoryview, end: int, room_bytes: int, what: str) -> tuple[UUID, int, int]:
    """GUID, length and start of the entry that ends at `end` and may have `room_bytes` at most."""
    reader = Reader(view, what, position=end - _ENTRY_TRAILER_BYTES)
    if room_bytes < _ENTRY_TRAILER_BYTES:
        raise reader.fail("GUIDed table entry", f"{room_bytes} bytes are left, too few for a length and a GUID")
    length = reader.u16("GUIDed table length")
    if not _ENTRY_TRAILER_BYTES <= length <= room_bytes:
        reader.position -= 2
        raise reader.fail("GUIDed table length", f"{length} is not {_ENTRY_TRAILER_BYTES} to {room_bytes} bytes")
    return UUID(bytes_le=bytes(reader.take(16, "GUID"))), length, end - length


def _sections(reader: Reader) -> tuple[TdvfSection, ...]:
    start = reader.position
    signature = bytes(reader.take(4, "TDX metadata signature"))
    length, version, count = reader.unpack("III", "TDX metadata descriptor")
    for holds, field, offset, problem in (
        (signature == b"TDVF", "TDX metadata signature", 0, f"expected b'TDVF', found {signature!r}"),
        (version == _VERSION, "TDX metadata version", 8, f"expected {_VERSION}, found {version}"),
        (0 < count <= _MAX_SECTIONS, "TDX metadata section count", 12, f"{count} is not 1 to {_MAX_SECTIONS}"),
        (length == _DESCRIPTOR_BYTES + 32 * count, "TDX metadata length", 4, f"{length} does not fit {count} sections"),
    ):
        if not holds:
            reader.position = start + offset
            raise reader.fail(field, problem)
    sections = tuple(_section(reader, index) for index in range(count))
    memory_bytes = sum(section.memory_size for section in sections if not section.page_aug)
    if memory_bytes > _MAX_MEMORY_BYTES:
        reader.position = start
        raise reader.fail(
            "TDX metadata", f"its sections take {memory_bytes >> 20} MiB, more than {_MAX_MEMORY_BYTES >> 20} MiB"
        )
    return sections


def _section(reader: Reader, index: int) -> TdvfSection:
    start = reader.position
    data_offset, raw_size, address, memory_size, number, attributes = reader.unpack("IIQQII", f"TDX section {index}")
    if number not in tuple(SectionType):
        raise UnsupportedInputError(f"{reader.what}: TDX section {index} has the unknown type {number}")
    kind = SectionType(number)
    if data_offset + raw_size > len(reader.data):
        raise MalformedInputError(
            reader.what,
            field=f"TDX section {index} ({kind.name})",
            offset=start,
            problem=f"its data ends at {data_offset + raw_size:#x}, beyond the firmware's {len(reader.data):#x} bytes",
            hint="Give OVMF as one file with its variable store (OVMF.fd).",
        )
    for holds, offset, problem in (
        (kind not in _WITHOUT_DATA or not raw_size, 4, f"{raw_size} bytes of data in a section that takes none"),
        (kind not in _WITH_DATA or raw_size, 4, "no data"),
        (address % PAGE_BYTES == 0, 8, f"address {address:#x} is not a multiple of {PAGE_BYTES}"),
        (memory_size % PAGE_BYTES == 0, 16, f"memory size {memory_size:#x} is not a multiple of {PAGE_BYTES}"),
        (memory_size >= raw_size, 16, f"memory size {memory_size:#x} is less than the {raw_size:#x} bytes of data"),
        (address + memory_size <= _MAX_ADDRESS, 8, f"it ends at {address + memory_size:#x}, beyond 52 bits"),
    ):
        if not holds:
            reader.position = start + offset
            raise reader.fail(f"TDX section {index} ({kind.name})", problem)
    return TdvfSection(data_offset, raw_size, address, memory_size, kind, attributes)
