"""PE images as UEFI firmware sees them: bounded headers, sections, and the bytes an Authenticode digest covers.

pefile reads the headers. It is not made for hostile files, so it gets them under conditions:

- The counts and sizes that steer it are checked first: e_lfanew, optional header, section table.
- It sees the file through `_Window`: it would copy everything before the first section, and keep the file mapped.
- It parses imports to tell drivers from applications when a section is called PAGE; `_Headers` does not.
- It sorts sections by address, while systemd-stub goes by their order in the table, which is restored here.
- It stops at a section that is odd in three ways at once (beyond 256 MiB in size and address, and unaligned in the
  file, say) and goes on without the rest. Such a table is refused here; ukify makes none.

The checks of values are those of edk2 MdePkg/Library/BasePeCoffLib/BasePeCoff.c (PeCoffLoaderGetPeHeader) at c5aa7e7d:
an image that breaks one of them is not measured by the firmware either, because it does not start.
"""

from __future__ import annotations

from dataclasses import dataclass

import pefile

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen

_DOS_HEADER_BYTES = 64
_PE32_PLUS_FIXED_BYTES = 112
"""The optional header without its data directories."""
_SECTION_HEADER_BYTES = 40
_MAX_DIRECTORIES = 16
_SECURITY_DIRECTORY = 4
_RELOCATION_DIRECTORY = 5
_MAX_SECTIONS = 1024
"""systemd-stub 258 reserves room for 120; edk2 has no limit but SizeOfHeaders."""
_MAX_HEADER_BYTES = 1 << 20
MACHINE_X86_64 = 0x8664


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The bytes `start <= offset < stop` of a file."""

    start: int
    stop: int

    @property
    def size_bytes(self) -> int:
        return self.stop - self.start

    def shifted(self, by_bytes: int) -> Span:
        """The same span of something that begins `by_bytes` later."""
        return Span(self.start + by_bytes, self.stop + by_bytes)


@frozen
class PeSection:
    """One row of the section table. Sizes and offsets are in bytes; the address is relative to the image base."""

    name: str
    virtual_size: int
    virtual_address: int
    raw_offset: int
    raw_size: int

    @property
    def content(self) -> Span:
        """Where the file holds the `virtual_size` bytes that the running image sees.

        Raises UnsupportedInputError if the loader would append zeros that the file does not hold.
        """
        if self.virtual_size > self.raw_size:
            raise UnsupportedInputError(
                f"PE section {printable(self.name)}: its size in memory ({self.virtual_size} bytes) is larger than its "
                f"size in the file ({self.raw_size} bytes)",
                hint="Build the UKI with ukify, which stores its sections whole.",
            )
        return Span(self.raw_offset, self.raw_offset + self.virtual_size)

    @property
    def memory_bytes(self) -> int:
        """How many bytes from its address on edk2 writes when it loads the section.

        MdePkg/Library/BasePeCoffLib/BasePeCoff.c, PeCoffLoaderLoadImage(): the whole of the raw data where VirtualSize is 0,
        else VirtualSize bytes, of which zeros are what the file does not have.
        """
        return self.virtual_size or self.raw_size


@frozen
class PeImage:
    """A PE32+ image. Spans are from its first byte; `sections` keeps the order of the section table."""

    size_bytes: int
    machine: int
    sections: tuple[PeSection, ...]
    header_bytes: int
    checksum: Span
    certificate_entry: Span | None
    certificates: Span | None
    relocations: Span | None = None
    """Where the base relocation table lies in memory, relative to the image base."""
    memory_bytes: int = 0
    """SizeOfImage: what a loader allocates."""

    def authenticode_spans(self) -> tuple[Span, ...]:
        """What an Authenticode digest covers, in hashing order.

        "PE/COFF Specification 8.0 Appendix A", steps as numbered in edk2
        SecurityPkg/Tcg/Tcg2Dxe/MeasureBootPeCoff.c (and OvmfPkg/Tcg/TdTcg2Dxe, which is the same) at c5aa7e7d:
        3-9 headers without CheckSum and the certificate directory entry, 11-15 sections by file offset,
        16 what follows the bytes hashed so far, without the size of the certificate table. Images whose parts overlap
        are refused: hashing them takes many times their size.
        """
        spans = [Span(0, self.checksum.start)]
        if self.certificate_entry is None:
            spans.append(Span(self.checksum.stop, self.header_bytes))
        else:
            spans.append(Span(self.checksum.stop, self.certificate_entry.start))
            spans.append(Span(self.certificate_entry.stop, self.header_bytes))
        hashed = self.header_bytes
        for section in sorted(self.sections, key=lambda section: section.raw_offset):
            spans.append(Span(section.raw_offset, section.raw_offset + section.raw_size))
            hashed += section.raw_size
        if hashed > self.size_bytes:
            raise UnsupportedInputError("PE image: its headers and sections overlap in the file")
        certificate_bytes = self.certificates.size_bytes if self.certificates else 0
        if self.size_bytes > hashed:
            if self.size_bytes < hashed + certificate_bytes:
                raise MalformedInputError(
                    "PE image",
                    field="certificate table size",
                    offset=self.certificate_entry.start if self.certificate_entry else 0,
                    problem=f"{certificate_bytes} bytes reach into the {hashed} bytes of headers and sections",
                )
            spans.append(Span(hashed, self.size_bytes - certificate_bytes))
        return tuple(span for span in spans if span.size_bytes)


def raw_end(head: bytes) -> int | None:
    """Where the file should end by the section table in its first bytes; None if they are no PE headers, or are not whole."""
    if head[:2] != b"MZ" or len(head) < _DOS_HEADER_BYTES:
        return None
    at = int.from_bytes(head[0x3C:0x40], "little")
    count = int.from_bytes(head[at + 6 : at + 8], "little")
    table = at + 24 + int.from_bytes(head[at + 20 : at + 22], "little")
    if head[at : at + 4] != b"PE\0\0" or not 0 < count <= _MAX_SECTIONS or table + 40 * count > len(head):
        return None
    rows = (head[table + 40 * index :][:_SECTION_HEADER_BYTES] for index in range(count))
    return max(int.from_bytes(row[16:20], "little") + int.from_bytes(row[20:24], "little") for row in rows)


def parse_pe(data: memoryview, *, what: str = "PE image", base: int = 0) -> PeImage:
    """Parse the headers of a PE32+ image; `base` is the offset of `data` in its file, for errors only.

    Raises MalformedInputError, or UnsupportedInputError for PE32 (32-bit) images and for tables that pefile gives up on.
    """
    reader = Reader(data, what, base)
    section_count = _check_sizes(reader)
    headers = _parsed(data, what)
    optional = headers.OPTIONAL_HEADER
    if headers.PE_TYPE != pefile.OPTIONAL_HEADER_MAGIC_PE_PLUS:
        raise UnsupportedInputError(
            f"{what}: only PE32+ (64-bit) images can be measured", hint="Give a UKI for x86-64."
        )
    _check_optional_header(reader, headers)
    checksum = optional.get_field_absolute_offset("CheckSum")
    entry, certificates, relocations = None, None, None
    if optional.NumberOfRvaAndSizes > _RELOCATION_DIRECTORY:
        row = optional.DATA_DIRECTORY[_RELOCATION_DIRECTORY]
        relocations = Span(row.VirtualAddress, row.VirtualAddress + row.Size) if row.Size else None
    if optional.NumberOfRvaAndSizes > _SECURITY_DIRECTORY:
        row = optional.DATA_DIRECTORY[_SECURITY_DIRECTORY]
        entry, certificates = Span(row.get_file_offset(), row.get_file_offset() + 8), _certificates(reader, row)
    rows = sorted(headers.sections, key=lambda row: row.get_file_offset())
    sections = tuple(_section(reader, row, optional.SizeOfImage) for row in rows)
    if len(sections) != section_count:
        raise UnsupportedInputError(
            f"{what}: pefile reads {len(sections)} of {section_count} sections and rejects the next one",
            hint="Build the UKI with ukify.",
        )
    return PeImage(
        size_bytes=len(data),
        machine=headers.FILE_HEADER.Machine,
        sections=sections,
        header_bytes=optional.SizeOfHeaders,
        checksum=Span(checksum, checksum + 4),
        certificate_entry=entry,
        certificates=certificates,
        relocations=relocations,
        memory_bytes=optional.SizeOfImage,
    )


class _Window:
    """The file as pefile asks for it: its true length, and slices as bytes of at most 1 MiB."""

    def __init__(self, data: memoryview) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(len(self.data))
        return bytes(self.data[start : min(stop, start + _MAX_HEADER_BYTES)])


class _Headers(pefile.PE):  # type: ignore[misc]  # pefile has no types
    def is_driver(self) -> bool:
        """Pefile would read the import table to know, which is not ours to trust."""
        return False


def _parsed(data: memoryview, what: str) -> _Headers:
    window = _Window(data)
    try:
        return _Headers(data=window, fast_load=True)
    except Exception as error:
        raise MalformedInputError(
            what, field="headers", offset=0, problem=f"pefile cannot read them: {printable(str(error))}"
        ) from error
    finally:
        window.data = memoryview(b"")  # its objects refer to each other: the map would stay until they are collected


def _check_sizes(reader: Reader) -> int:
    """Everything that decides how much pefile reads, and where. The number of sections."""
    if bytes(reader.take(2, "DOS signature")) != b"MZ":
        reader.position = 0
        raise reader.fail("DOS signature", "expected 'MZ'")
    reader.position = min(0x3C, len(reader.data))
    pe_offset = reader.u32("e_lfanew")
    if not _DOS_HEADER_BYTES <= pe_offset < len(reader.data):
        reader.position -= 4
        raise reader.fail("e_lfanew", f"{pe_offset:#x} is not between {_DOS_HEADER_BYTES:#x} and the end of the file")
    reader.position = pe_offset
    if bytes(reader.take(4, "PE signature")) != b"PE\0\0":
        reader.position = pe_offset
        raise reader.fail("PE signature", "expected 'PE'")
    _, section_count, _, _, _, optional_bytes, _ = reader.unpack("HHIIIHH", "PE file header")
    if not 0 < section_count <= _MAX_SECTIONS:
        raise reader.fail("NumberOfSections", f"{section_count} is not 1 to {_MAX_SECTIONS}")
    reader.take(max(optional_bytes, _PE32_PLUS_FIXED_BYTES), "optional header")
    return section_count


def _check_optional_header(reader: Reader, headers: _Headers) -> None:
    optional, file_header = headers.OPTIONAL_HEADER, headers.FILE_HEADER
    directories, header_bytes = optional.NumberOfRvaAndSizes, optional.SizeOfHeaders
    optional_bytes, section_count = file_header.SizeOfOptionalHeader, file_header.NumberOfSections
    table_end = optional.get_file_offset() + optional_bytes + section_count * _SECTION_HEADER_BYTES
    if directories > _MAX_DIRECTORIES or optional_bytes != _PE32_PLUS_FIXED_BYTES + 8 * directories:
        reader.position = optional.get_field_absolute_offset("NumberOfRvaAndSizes")
        raise reader.fail(
            "NumberOfRvaAndSizes",
            f"{directories} directories (at most {_MAX_DIRECTORIES}) do not fill an optional header of "
            f"{optional_bytes} bytes exactly",
        )
    for holds, problem in (
        (table_end <= header_bytes, f"{header_bytes} bytes do not hold {section_count} section headers"),
        (
            header_bytes < optional.SizeOfImage,
            f"{header_bytes} is not below SizeOfImage ({optional.SizeOfImage})",
        ),
        (
            header_bytes <= min(len(reader.data), _MAX_HEADER_BYTES),
            f"{header_bytes} bytes, the file has {len(reader.data)} and at most {_MAX_HEADER_BYTES} are read",
        ),
    ):
        if not holds:
            reader.position = optional.get_file_offset()
            raise reader.fail("SizeOfHeaders", problem)


def _certificates(reader: Reader, row: pefile.Structure) -> Span | None:
    """The certificate table; unlike the other directories it holds a file offset."""
    start, size_bytes = row.VirtualAddress, row.Size
    if not size_bytes:
        return None
    if start + size_bytes > len(reader.data):
        reader.position = row.get_file_offset()
        raise reader.fail(
            "certificate table", f"ends at {start + size_bytes:#x}, the file has {len(reader.data):#x} bytes"
        )
    return Span(start, start + size_bytes)


def _section(reader: Reader, row: pefile.SectionStructure, image_bytes: int) -> PeSection:
    name = row.Name.split(b"\0", 1)[0].decode("latin-1")
    raw_end = row.PointerToRawData + row.SizeOfRawData if row.SizeOfRawData else 0
    for field, end, limit in (
        ("raw data", raw_end, len(reader.data)),
        ("virtual size", row.VirtualAddress + row.Misc_VirtualSize, image_bytes),
    ):
        if end > limit:
            reader.position = row.get_file_offset()
            raise reader.fail(f"section {printable(name)} {field}", f"ends at {end:#x}, beyond {limit:#x}")
    return PeSection(name, row.Misc_VirtualSize, row.VirtualAddress, row.PointerToRawData, row.SizeOfRawData)
