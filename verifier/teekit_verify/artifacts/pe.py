"""PE images as UEFI firmware sees them: bounded headers, sections, and the bytes an Authenticode digest covers.

The few header fields that decide a measurement are read here, with every count and size checked first. pefile is not
used, and may not be: it sorts the section table by address (systemd-stub goes by its order), gives up on tables it
finds odd (an .initrd beyond 256 MiB is enough), and can take very long on hostile files.

The checks are those of edk2 MdePkg/Library/BasePeCoffLib/BasePeCoff.c (PeCoffLoaderGetPeHeader) at c5aa7e7d: an image
that breaks one of them is not measured by the firmware either, because it does not start.
"""

from __future__ import annotations

from dataclasses import dataclass

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable

_DOS_HEADER_BYTES = 64
_PE32_PLUS_MAGIC = 0x20B
_PE32_PLUS_FIXED_BYTES = 112
"""The optional header without its data directories."""
_CHECKSUM_OFFSET = 64
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
    """A PE32+ image. Spans are from its first byte; `sections` keeps the order of the section table."""

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


def parse_pe(data: memoryview, *, what: str = "PE image", base: int = 0) -> PeImage:
    """Parse the headers of a PE32+ image; `base` is the offset of `data` in its file, for errors only.

    Raises MalformedInputError, or UnsupportedInputError for PE32 (32-bit) images.
    """
    reader = Reader(data, what, base)
    machine, section_count, optional_bytes = _file_header(reader)
    optional_offset = reader.position
    optional = Reader(reader.take(optional_bytes, "optional header"), what, base + optional_offset)
    image_bytes, header_bytes, directories = _optional_header(optional)
    for holds, field, problem in (
        (0 < section_count <= _MAX_SECTIONS, "NumberOfSections", f"{section_count} is not 1 to {_MAX_SECTIONS}"),
        (
            reader.position + section_count * _SECTION_HEADER_BYTES <= header_bytes,
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
            raise MalformedInputError(what, field=field, offset=base + optional_offset, problem=problem)
    checksum = Span(_CHECKSUM_OFFSET, _CHECKSUM_OFFSET + 4).shifted(optional_offset)
    entry, certificates = None, None
    if directories > _SECURITY_DIRECTORY:
        start = optional_offset + _PE32_PLUS_FIXED_BYTES + 8 * _SECURITY_DIRECTORY
        entry, certificates = Span(start, start + 8), _certificates(Reader(data, what, base, start))
    sections = tuple(_section(reader, image_bytes) for _ in range(section_count))
    return PeImage(len(data), machine, sections, header_bytes, checksum, entry, certificates)


def _file_header(reader: Reader) -> tuple[int, int, int]:
    """Machine, number of sections, size of the optional header; the reader is left at the optional header."""
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
    machine, section_count, _, _, _, optional_bytes, _ = reader.unpack("HHIIIHH", "PE file header")
    return machine, section_count, optional_bytes


def _optional_header(optional: Reader) -> tuple[int, int, int]:
    """SizeOfImage, SizeOfHeaders and NumberOfRvaAndSizes; the reader is over the optional header alone."""
    if optional.u16("optional header magic") != _PE32_PLUS_MAGIC:
        raise UnsupportedInputError(
            f"{optional.what}: only PE32+ (64-bit) images can be measured", hint="Give a UKI for x86-64."
        )
    fixed = optional.take(_PE32_PLUS_FIXED_BYTES - 2, "optional header")
    image_bytes = int.from_bytes(fixed[54:58], "little")
    header_bytes = int.from_bytes(fixed[58:62], "little")
    directories = int.from_bytes(fixed[106:110], "little")
    if directories > _MAX_DIRECTORIES or optional.remaining != 8 * directories:
        optional.position = _PE32_PLUS_FIXED_BYTES - 4
        raise optional.fail(
            "NumberOfRvaAndSizes",
            f"{directories} directories (at most {_MAX_DIRECTORIES}) do not fill an optional header of "
            f"{len(optional.data)} bytes exactly",
        )
    return image_bytes, header_bytes, directories


def _certificates(reader: Reader) -> Span | None:
    """The certificate table; unlike the other directories it holds a file offset."""
    start, size_bytes = reader.unpack("II", "certificate table")
    if not size_bytes:
        return None
    if start + size_bytes > len(reader.data):
        reader.position -= 8
        raise reader.fail(
            "certificate table", f"ends at {start + size_bytes:#x}, the file has {len(reader.data):#x} bytes"
        )
    return Span(start, start + size_bytes)


def _section(reader: Reader, image_bytes: int) -> PeSection:
    row_offset = reader.position
    name = bytes(reader.take(8, "section name")).split(b"\0", 1)[0].decode("latin-1")
    virtual_size, address, raw_size, raw_offset = reader.unpack("IIII", "section sizes")
    reader.take(16, "section header")
    for field, end, limit in (
        ("raw data", raw_offset + raw_size if raw_size else 0, len(reader.data)),
        ("virtual size", address + virtual_size, image_bytes),
    ):
        if end > limit:
            reader.position = row_offset
            raise reader.fail(f"section {printable(name)} {field}", f"ends at {end:#x}, beyond {limit:#x}")
    return PeSection(name, virtual_size, address, raw_offset, raw_size)
