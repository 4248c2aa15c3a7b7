"""PE images as UEFI firmware sees them: bounded headers, sections, and the bytes an Authenticode digest covers.

Sizes are checked first, and pefile is then given a copy of the headers only: it is known to take very long, or to
fail in surprising ways, on hostile files. What it raises becomes MalformedInputError.

The checks are those of edk2 MdePkg/Library/BasePeCoffLib/BasePeCoff.c (PeCoffLoaderGetPeHeader) at c5aa7e7d: an image
that breaks one of them is not measured by the firmware either, because it does not start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pefile

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_DOS_HEADER_BYTES = 64
_NT_HEADER_BYTES = 24  # signature and file header
_PE32_PLUS_MAGIC = 0x20B
_PE32_PLUS_FIXED_BYTES = 112  # optional header without its data directories
_CHECKSUM_OFFSET = 64  # within the optional header
_SECTION_HEADER_BYTES = 40
_MAX_DIRECTORIES = 16
_SECURITY_DIRECTORY = 4
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
        return Span(self.start + by_bytes, self.stop + by_bytes)


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class PeImage:
    """A PE32+ image. All offsets are from the start of the image, which starts `base` bytes into its file."""

    size_bytes: int
    machine: int
    sections: tuple[PeSection, ...]
    header_bytes: int
    checksum: Span
    certificate_entry: Span | None
    certificates: Span | None

    def authenticode_spans(self) -> tuple[Span, ...]:
        """What an Authenticode digest covers, in hashing order.

        "PE/COFF Specification 8.0 Appendix A", steps as numbered in edk2
        SecurityPkg/Tcg/Tcg2Dxe/MeasureBootPeCoff.c (and OvmfPkg/Tcg/TdTcg2Dxe, which is the same) at c5aa7e7d:
        3-9 headers without CheckSum and the certificate directory entry, 11-15 sections by file offset,
        16 what follows the bytes hashed so far, without the size of the certificate table.
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


def parse_pe(data: memoryview, *, what: str = "PE image", base: int = 0) -> PeImage:
    """Parse the headers of a PE32+ image; `base` is the offset of `data` in its file, for errors only.

    Raises MalformedInputError, or UnsupportedInputError for PE32 (32-bit) images.
    """
    header = _bounded_header(data, what, base)
    try:
        parsed = pefile.PE(data=bytes(header), fast_load=True)
    except Exception as error:
        raise MalformedInputError(what, field="PE header", offset=base, problem=printable(str(error))) from error
    return _image(parsed, len(data), what, base)


def _bounded_header(data: memoryview, what: str, base: int) -> memoryview:
    """The first SizeOfHeaders bytes, after checking every count and size that pefile would act on."""
    reader = Reader(data, what, base)
    if bytes(reader.take(2, "DOS signature")) != b"MZ":
        raise MalformedInputError(what, field="DOS signature", offset=base, problem="expected 'MZ'")
    reader.position = 0x3C
    reader.position = _within(reader.u32("e_lfanew"), _DOS_HEADER_BYTES, len(data), reader, "e_lfanew")
    if bytes(reader.take(4, "PE signature")) != b"PE\0\0":
        raise MalformedInputError(
            what, field="PE signature", offset=base + reader.position - 4, problem="expected 'PE'"
        )
    nt_offset = reader.position - 4
    _machine, section_count, _, _, _, optional_bytes, _ = reader.unpack("HHIIIHH", "PE file header")
    optional_offset = reader.position
    optional = Reader(reader.take(optional_bytes, "optional header"), what, base + optional_offset)
    if optional.u16("optional header magic") != _PE32_PLUS_MAGIC:
        raise UnsupportedInputError(
            f"{what}: only PE32+ (64-bit) images can be measured", hint="Give a UKI for x86-64."
        )
    optional.position = 56
    image_bytes, header_bytes = optional.unpack("II", "SizeOfImage and SizeOfHeaders")
    optional.position = _PE32_PLUS_FIXED_BYTES - 4
    directories = optional.u32("NumberOfRvaAndSizes")
    table_offset = nt_offset + _NT_HEADER_BYTES + optional_bytes
    for holds, field, problem in (
        (directories <= _MAX_DIRECTORIES, "NumberOfRvaAndSizes", f"{directories} is more than {_MAX_DIRECTORIES}"),
        (
            optional_bytes == _PE32_PLUS_FIXED_BYTES + 8 * directories,
            "SizeOfOptionalHeader",
            f"{optional_bytes} bytes do not hold {directories} directories exactly",
        ),
        (0 < section_count <= _MAX_SECTIONS, "NumberOfSections", f"{section_count} is not 1 to {_MAX_SECTIONS}"),
        (
            table_offset + section_count * _SECTION_HEADER_BYTES <= header_bytes,
            "SizeOfHeaders",
            f"{header_bytes} bytes do not hold {section_count} section headers",
        ),
        (header_bytes < image_bytes, "SizeOfHeaders", f"{header_bytes} is not below SizeOfImage ({image_bytes})"),
        (
            header_bytes <= min(len(data), _MAX_HEADER_BYTES),
            "SizeOfHeaders",
            f"{header_bytes} bytes, the file has {len(data)} and at most {_MAX_HEADER_BYTES} are read",
        ),
    ):
        if not holds:
            raise MalformedInputError(what, field=field, offset=base + nt_offset, problem=problem)
    return data[:header_bytes]


def _within(value: int, low: int, high: int, reader: Reader, field: str) -> int:
    if not low <= value < high:
        raise reader.fail(field, f"{value:#x} is not between {low:#x} and {high:#x}")
    return value


def _image(parsed: pefile.PE, size_bytes: int, what: str, base: int) -> PeImage:
    optional_offset: int = parsed.OPTIONAL_HEADER.get_file_offset()
    checksum = optional_offset + _CHECKSUM_OFFSET
    entry: Span | None = None
    certificates: Span | None = None
    if parsed.OPTIONAL_HEADER.NumberOfRvaAndSizes > _SECURITY_DIRECTORY:
        start = optional_offset + _PE32_PLUS_FIXED_BYTES + 8 * _SECURITY_DIRECTORY
        entry = Span(start, start + 8)
        directory = parsed.OPTIONAL_HEADER.DATA_DIRECTORY[_SECURITY_DIRECTORY]
        if directory.Size:
            certificates = Span(directory.VirtualAddress, directory.VirtualAddress + directory.Size)
            if certificates.stop > size_bytes:
                raise MalformedInputError(
                    what,
                    field="certificate table",
                    offset=base + start,
                    problem=f"ends at {certificates.stop:#x}, the file has {size_bytes:#x} bytes",
                )
    return PeImage(
        size_bytes=size_bytes,
        machine=parsed.FILE_HEADER.Machine,
        sections=tuple(_sections(parsed, size_bytes, what, base)),
        header_bytes=parsed.OPTIONAL_HEADER.SizeOfHeaders,
        checksum=Span(checksum, checksum + 4),
        certificate_entry=entry,
        certificates=certificates,
    )


def _sections(parsed: pefile.PE, size_bytes: int, what: str, base: int) -> Iterator[PeSection]:
    if len(parsed.sections) != parsed.FILE_HEADER.NumberOfSections:
        raise MalformedInputError(
            what,
            field="section table",
            offset=base + parsed.OPTIONAL_HEADER.get_file_offset(),
            problem=f"{len(parsed.sections)} of {parsed.FILE_HEADER.NumberOfSections} section headers can be read",
        )
    for row in parsed.sections:
        section = PeSection(
            name=row.Name.split(b"\0", 1)[0].decode("latin-1"),
            virtual_size=row.Misc_VirtualSize,
            virtual_address=row.VirtualAddress,
            raw_offset=row.PointerToRawData,
            raw_size=row.SizeOfRawData,
        )
        for field, end, limit in (
            ("raw data", section.raw_offset + section.raw_size if section.raw_size else 0, size_bytes),
            (
                "virtual size",
                section.virtual_address + section.virtual_size,
                parsed.OPTIONAL_HEADER.SizeOfImage,
            ),
        ):
            if end > limit:
                raise MalformedInputError(
                    what,
                    field=f"section {printable(section.name)} {field}",
                    offset=base + row.get_file_offset(),
                    problem=f"ends at {end:#x}, beyond {limit:#x}",
                )
        yield section
