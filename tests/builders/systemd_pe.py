"""Which bytes systemd-stub finds under the names it knows: its pe.c gone through anew, on the image as edk2 loads it.

Written from systemd's C (src/boot/pe.c and stub.c of 257.13 and 262; src/boot/efi/pe.c of 252.39 to 255.4) and from
edk2's PeCoffLoaderLoadImage(), and not from our reading of PE files: everything is taken from raw bytes here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_SECTION_HEADER_BYTES = 40
_IMAGE_LIMIT = 1 << 24


class StubFailsError(Exception):
    """The firmware or the stub would stop with an error."""


@dataclass(frozen=True)
class Header:
    """struct PeSectionHeader, as the stub reads it."""

    raw_name: bytes
    virtual_size: int
    virtual_address: int
    raw_size: int
    raw_pointer: int


def measured_by(major: int, names: tuple[str, ...], file: bytes, profile: int = 0) -> dict[str, bytes]:
    """The content of each section that is set, by the name in unified_sections[]."""
    memory = load_image(file)
    table = section_table(memory)
    encoded = [name.encode() for name in names]
    vectors: list[tuple[int, int]] = [(0, 0)] * len(encoded)
    if major <= 256:
        if len(table) > 96:  # MAX_SECTIONS
            raise StubFailsError("verify_pe")
        for row in table:
            for index, name in enumerate(encoded):
                if row.raw_name[: len(name)] != name:  # memcmp(sect->Name, sections[j], strlen8(sections[j]))
                    continue
                vectors[index] = (row.virtual_address, row.virtual_size)
    else:
        locate_profile_sections(table, encoded, None, vectors)
        found = locate_profile_sections(table, encoded, profile, vectors)
        if not found and profile != 0:
            raise StubFailsError("Unable to locate embedded per-profile PE sections")
    if vectors[names.index(".linux")][1] == 0:
        raise StubFailsError("Image lacks .linux section")
    return {
        name: bytes(memory[offset : offset + size])
        for name, (offset, size) in zip(names, vectors, strict=True)
        if size != 0
    }


def load_image(file: bytes) -> bytearray:
    """PeCoffLoaderLoadImage(): headers first, then each section in the order of the table."""
    pe = struct.unpack_from("<I", file, 0x3C)[0]
    size_of_image, size_of_headers = struct.unpack_from("<II", file, pe + 24 + 56)
    if size_of_image > _IMAGE_LIMIT:
        raise StubFailsError("no memory")
    memory = bytearray(size_of_image)
    memory[:size_of_headers] = file[:size_of_headers]
    for row in section_table(memoryview(file)):
        size = row.virtual_size
        if size == 0 or size > row.raw_size:
            size = row.raw_size
        if row.virtual_address + max(size, row.virtual_size) > size_of_image:
            raise StubFailsError("section not loaded")
        if row.raw_size > 0:
            memory[row.virtual_address : row.virtual_address + size] = file[row.raw_pointer : row.raw_pointer + size]
        if size < row.virtual_size:
            rest = row.virtual_size - size
            memory[row.virtual_address + size : row.virtual_address + row.virtual_size] = bytes(rest)
    return memory


def section_table(image: bytearray | memoryview) -> list[Header]:
    """pe_section_table_from_base()."""
    if bytes(image[:2]) != b"MZ":
        raise StubFailsError("verify_dos")
    pe = struct.unpack_from("<I", image, 0x3C)[0]
    if bytes(image[pe : pe + 4]) != b"PE\0\0":
        raise StubFailsError("verify_pe")
    count = struct.unpack_from("<H", image, pe + 6)[0]
    optional_size = struct.unpack_from("<H", image, pe + 20)[0]
    start = pe + 24 + optional_size
    table = []
    for place in range(start, start + count * _SECTION_HEADER_BYTES, _SECTION_HEADER_BYTES):
        name, *numbers = struct.unpack_from("<8sIIII", image, place)
        table.append(Header(name, *numbers))
    return table


def name_equal(a: bytes, b: bytes) -> bool:
    """pe_section_name_equal()."""
    a, b = a.ljust(8, b"\0"), b.ljust(8, b"\0")
    for i in range(8):
        if a[i] != b[i]:
            return False
        if a[i] == 0:
            return True
    return True


def locate_profile_sections(
    table: list[Header], names: list[bytes], profile: int | None, vectors: list[tuple[int, int]]
) -> bool:
    """pe_locate_profile_sections(); `profile` None is UINT_MAX, the base. False stands for EFI_NOT_FOUND."""
    start = find_profile_start(table, profile)
    if start is None:
        return False
    end = start if profile is None else start + 1
    while end < len(table) and not name_equal(table[end].raw_name, b".profile"):
        end += 1
    for index, name in enumerate(names):
        for row in table[start:end]:
            if name_equal(row.raw_name, name):
                vectors[index] = (row.virtual_address, row.virtual_size)
                break
    return True


def find_profile_start(table: list[Header], profile: int | None) -> int | None:
    """pe_section_table_find_profile_start()."""
    if profile is None:
        return 0
    current: int | None = None
    for place, row in enumerate(table):
        if not name_equal(row.raw_name, b".profile"):
            continue
        current = 0 if current is None else current + 1
        if current == profile:
            return place
    return None
