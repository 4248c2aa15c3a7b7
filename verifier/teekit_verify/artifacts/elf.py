"""ELF files as far as a comparison needs them: sections, notes and the build ID. Little-endian ones, 32 or 64 bits.

Source: System V ABI, "Object Files" (gABI), and its "Note Section". pyelftools reads the headers. It trusts what they
say, so everything that steers it is checked first: it is given the file header and whole rows of the section table,
and builds none of its section objects, some of which read tables of a length that the file names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from elftools.elf.structs import ELFStructs

from teekit_verify.artifacts.pe import Span
from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob

MAGIC = b"\x7fELF"
_IDENT_BYTES = 16
_CLASSES = {1: 32, 2: 64}
_LITTLE_ENDIAN = 1
_MAX_SECTIONS = 20_000
_MAX_NAMES_BYTES = 4 << 20
_MAX_NOTES_BYTES = 1 << 20
_MAX_NAME_BYTES = 256
_NOTE, _NO_BITS = "SHT_NOTE", "SHT_NOBITS"
_GNU_BUILD_ID = 3


@frozen
class ElfSection:
    """`content` is where its bytes are in the file, empty for .bss and the like."""

    name: str
    kind: str
    address: int
    content: Span


@frozen
class ElfNote:
    """One note (ELF specification, "Note Section"): who defined it, its number with them, and its content."""

    owner: str
    type: int
    description: bytes


@frozen
class ElfFile:
    """`header` is where the file header is; sections in the order of the table, without the empty first one."""

    header: Span
    sections: tuple[ElfSection, ...]
    notes: tuple[ElfNote, ...]

    @property
    def build_id(self) -> str | None:
        """In hexadecimal, as `readelf -n` prints it."""
        for note in self.notes:
            if (note.owner, note.type) == ("GNU", _GNU_BUILD_ID):
                return note.description.hex()
        return None


def parse_elf(blob: Blob, *, what: str = "ELF") -> ElfFile:
    """Raises MalformedInputError with offset and field, or UnsupportedInputError."""
    ident = blob.read(0, _IDENT_BYTES)
    if len(ident) != _IDENT_BYTES or not ident.startswith(MAGIC):
        raise _bad(what, "magic", 0, f"expected {MAGIC!r}, found {ident[:4]!r}")
    bits = _CLASSES.get(ident[4])
    if bits is None or ident[5] != _LITTLE_ENDIAN:
        raise UnsupportedInputError(f"{what}: class {ident[4]}, data encoding {ident[5]}: only little-endian is read")
    structs = ELFStructs(little_endian=True, elfclass=bits)
    structs.create_basic_structs()
    structs.create_advanced_structs()
    header = _parsed(structs.Elf_Ehdr, blob.read(0, structs.Elf_Ehdr.sizeof()), what, 0)
    rows = list(_rows(blob, structs, header, what))
    sections = tuple(_sections(blob, rows, header["e_shstrndx"], what))
    notes = tuple(note for section in sections if section.kind == _NOTE for note in _notes(blob, section.content, what))
    return ElfFile(Span(0, header["e_ehsize"]), sections[1:], notes)


def _rows(blob: Blob, structs: ELFStructs, header: dict[str, int], what: str) -> Iterator[dict[str, int]]:
    count, size, start = header["e_shnum"], header["e_shentsize"], header["e_shoff"]
    if not start:
        return
    if size != structs.Elf_Shdr.sizeof():
        raise _bad(what, "e_shentsize", 0, f"{size} is not {structs.Elf_Shdr.sizeof()} bytes")
    if not 0 < count <= _MAX_SECTIONS:
        raise _bad(what, "e_shnum", 0, f"{count} is not 1 to {_MAX_SECTIONS}")
    table = blob.read(start, count * size)
    if len(table) != count * size:
        raise _bad(what, "section table", start, f"{count} rows of {size} bytes, but {len(table)} bytes are there")
    for at in range(0, len(table), size):
        yield _parsed(structs.Elf_Shdr, table[at : at + size], what, start + at)


def _sections(blob: Blob, rows: list[dict[str, int]], names_index: int, what: str) -> Iterator[ElfSection]:
    names = b""
    if rows:
        if names_index >= len(rows):
            raise _bad(what, "e_shstrndx", 0, f"{names_index} is not a section")
        place = _content(blob, rows[names_index], what)
        if place.size_bytes > _MAX_NAMES_BYTES:
            raise _bad(what, "section names", place.start, f"{place.size_bytes} bytes are too many")
        names = blob.read(place.start, place.size_bytes)
    for row in rows:
        start = row["sh_name"]
        name = names[start : start + _MAX_NAME_BYTES].split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
        yield ElfSection(name, str(row["sh_type"]), row["sh_addr"], _content(blob, row, what))


def _content(blob: Blob, row: dict[str, int], what: str) -> Span:
    start, size = row["sh_offset"], row["sh_size"]
    if str(row["sh_type"]) in {_NO_BITS, "SHT_NULL"}:
        return Span(start, start)
    if start + size > blob.size_bytes:
        raise _bad(what, "section", start, f"{size} bytes reach beyond the file's {blob.size_bytes}")
    return Span(start, start + size)


def _notes(blob: Blob, place: Span, what: str) -> Iterator[ElfNote]:
    """gABI: three words (name size, description size, type), then name and description, each padded to 4 bytes."""
    if place.size_bytes > _MAX_NOTES_BYTES:
        raise _bad(what, "notes", place.start, f"{place.size_bytes} bytes are too many")
    reader = Reader(memoryview(blob.read(place.start, place.size_bytes)), what, base=place.start)
    while reader.remaining:
        name_bytes, description_bytes, kind = reader.unpack("III", "note")
        owner = bytes(reader.take(name_bytes, "note name")).rstrip(b"\0")
        reader.take(min(-name_bytes % 4, reader.remaining), "note padding")
        description = bytes(reader.take(description_bytes, "note description"))
        reader.take(min(-description_bytes % 4, reader.remaining), "note padding")
        yield ElfNote(owner.decode("utf-8", "surrogateescape"), kind, description)


def _parsed(structure: object, data: bytes, what: str, offset: int) -> dict[str, int]:
    try:
        return structure.parse(data)  # type: ignore[attr-defined,no-any-return]  # pyelftools has no types
    except Exception as error:
        raise _bad(what, "header", offset, f"pyelftools cannot read it: {printable(str(error))}") from error


def _bad(what: str, field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError(what, field=field, offset=offset, problem=problem)
