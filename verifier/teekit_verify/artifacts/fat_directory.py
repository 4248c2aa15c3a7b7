"""The rows of a FAT directory: files and folders with their long and short names (fatgen103, see `artifacts.fat`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ENTRY_BYTES = 32
_FREE, _DELETED, _KANJI_E5 = 0x00, 0xE5, 0x05
_LONG_NAME, _VOLUME_ID, _DIRECTORY = 0x0F, 0x08, 0x10
_LAST_LONG_ENTRY = 0x40
_MAX_LONG_ENTRIES = 20
_LOWER_STEM, _LOWER_EXTENSION = 0x08, 0x10


@frozen
class FatEntry:
    """A file or directory. `name` is the long name if there is one; `short_name` is "BOOTX64.EFI", say."""

    name: str
    short_name: str
    is_directory: bool
    first_cluster: int
    size_bytes: int
    offset: int
    """Where the directory entry lies in the stream, for errors."""

    def is_called(self, name: str) -> bool:
        """Both names count, and case does not (edk2 FatPkg: UnicodeCollation's StriColl)."""
        return name.upper() in {self.name.upper(), self.short_name.upper()}


def parse_entries(rows: Iterable[tuple[int, bytes]]) -> Iterator[FatEntry]:
    """Rows of ENTRY_BYTES, each with its offset in the stream, up to the first free one. Deleted ones, the volume label, `.` and
    `..` are left out.
    """
    long_rows: list[bytes] = []
    for offset, row in rows:
        if row[0] == _FREE:
            return
        attributes = row[11] & 0x3F
        if row[0] == _DELETED:
            long_rows = []
        elif attributes == _LONG_NAME:
            long_rows = [*long_rows[-_MAX_LONG_ENTRIES:], row]
        else:
            if not attributes & _VOLUME_ID and row[:2] not in {b". ", b".."}:
                yield _entry(row, _long_name(long_rows, row[:11]), offset)
            long_rows = []


def _entry(row: bytes, long_name: str | None, offset: int) -> FatEntry:
    short = _short_name(row)
    return FatEntry(
        name=short if long_name is None else long_name,
        short_name=short,
        is_directory=bool(row[11] & _DIRECTORY),
        first_cluster=int.from_bytes(row[20:22], "little") << 16 | int.from_bytes(row[26:28], "little"),
        size_bytes=int.from_bytes(row[28:32], "little"),
        offset=offset,
    )


def _short_name(row: bytes) -> str:
    """8.3 name; two bits of a reserved byte say that stem or extension are shown in lower case."""
    first = bytes([_DELETED]) if row[0] == _KANJI_E5 else row[:1]
    stem, extension = ((first + row[1:8]).rstrip(b" "), row[8:11].rstrip(b" "))
    shown = [
        (stem.lower() if row[12] & _LOWER_STEM else stem).decode("latin-1"),
        (extension.lower() if row[12] & _LOWER_EXTENSION else extension).decode("latin-1"),
    ]
    return ".".join(part for part in shown if part)


def _long_name(rows: list[bytes], short: bytes) -> str | None:
    """The long name of the rows just before a short entry; None if they are not a whole set for it (fatgen103)."""
    count = len(rows)
    if not 0 < count <= _MAX_LONG_ENTRIES or rows[0][0] != count | _LAST_LONG_ENTRY:
        return None
    ordered = all(row[0] & ~_LAST_LONG_ENTRY == count - place for place, row in enumerate(rows))
    if not ordered or any(row[13] != _checksum(short) for row in rows):
        return None
    text = b"".join(row[1:11] + row[14:26] + row[28:32] for row in reversed(rows))
    return text.decode("utf-16-le", "surrogatepass").split("\0", 1)[0]


def _checksum(short: bytes) -> int:
    """fatgen103, ChkSum(): rotate right and add, over the 11 bytes of the short name."""
    total = 0
    for byte in short:
        total = ((total & 1) << 7 | total >> 1) + byte & 0xFF
    return total
