"""cpio archives of the formats "newc" and "crc", entry by entry: Linux Documentation/driver-api/early-userspace/
buffer-format.rst, and init/initramfs.c for what follows an archive: zeros, and perhaps another archive.
"""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING, Any

from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator

MAGIC = (b"070701", b"070702")
_WITH_SUMS = b"070702"
"""The sum of a file's bytes, which Linux checks too (do_copy)."""
TRAILER = "TRAILER!!!"
_HEADER_BYTES = 110
_HEX = re.compile(rb"[0-9A-Fa-f]{104}")
_MAX_NAME_BYTES = 4096
"""PATH_MAX; Linux leaves out entries with longer names."""
_MAX_ENTRIES = 500_000
_MAX_NAMES_BYTES = 64 << 20
"""Of all entries: whoever reads them keeps them."""
_CHUNK_BYTES = 1 << 18


@frozen
class CpioEntry:
    """A header. `name` holds undecodable bytes as lone surrogates; `device` is what a device node stands for.

    `archive` counts from 0 the archives that follow each other in one stream; `offset` is that of the header in it.
    """

    name: str
    inode: int
    mode: int
    uid: int
    gid: int
    links: int
    mtime: int
    size_bytes: int
    filesystem: tuple[int, int]
    device: tuple[int, int]
    check: int
    archive: int
    offset: int


class CpioReader:
    """Reads one archive, or several in a row, from a stream. `position` counts the bytes taken from it."""

    def __init__(self, stream: io.BufferedReader[Any], what: str) -> None:
        self._stream = stream
        self._what = what
        self._left = 0
        self._padding = 0
        self._sum: int | None = None
        self._wanted_sum = 0
        self._has_sums = False
        self.position = 0

    def __iter__(self) -> Iterator[CpioEntry]:
        """The entries without trailers; content that was not asked for is passed over. Ends before what is no archive.

        Raises MalformedInputError with offset and field.
        """
        archive = count = names = 0
        while self._stream.peek(1)[:1] == b"0":
            while (entry := self._entry(archive)).name != TRAILER:
                count, names = count + 1, names + len(entry.name)
                if count > _MAX_ENTRIES or names > _MAX_NAMES_BYTES:
                    raise UnsupportedInputError(f"{self._what}: has {count} entries or more, too many for an initrd")
                self._left, self._padding = entry.size_bytes, -entry.size_bytes % 4
                self._sum = 0 if self._has_sums and stat.S_ISREG(entry.mode) and entry.size_bytes else None
                self._wanted_sum = entry.check
                yield entry
                self._finish_content()
                if not self._stream.peek(1):  # an archive that was cut off between entries, as Linux takes it
                    return
            self._skip(entry.size_bytes + -entry.size_bytes % 4, "trailer")
            self._skip_zeros()
            archive += 1

    def content(self) -> Iterator[bytes]:
        """What is left of the content of the entry that came last. Raises MalformedInputError, at the end also for another checksum."""
        while self._left:
            piece = self._take(min(self._left, _CHUNK_BYTES), "content")
            self._left -= len(piece)
            if self._sum is not None:
                self._sum = (self._sum + sum(piece)) % (1 << 32)
            yield piece
        if self._sum not in {None, self._wanted_sum}:
            raise self._bad(
                "checksum", self.position, f"the bytes add up to {self._sum:#x}, expected {self._wanted_sum:#x}"
            )

    def _finish_content(self) -> None:
        for _ in self.content():
            pass
        self._skip(min(self._padding, 3), "padding")

    def _entry(self, archive: int) -> CpioEntry:
        offset = self.position
        header = self._take(_HEADER_BYTES, "header")
        if not header.startswith(MAGIC):
            raise self._bad("magic", offset, f"expected 070701 or 070702, found {header[:6]!r}")
        self._has_sums = header.startswith(_WITH_SUMS)
        if not _HEX.fullmatch(header, 6):
            raise self._bad("header", offset + 6, "has characters that are not hexadecimal digits")
        numbers = [int(header[at : at + 8], 16) for at in range(6, _HEADER_BYTES, 8)]
        inode, mode, uid, gid, links, mtime, size, fs_major, fs_minor, major, minor, name_bytes, check = numbers
        if not 1 < name_bytes <= _MAX_NAME_BYTES:
            raise self._bad("name size", offset + 94, f"{name_bytes} is not 2 to {_MAX_NAME_BYTES} bytes")
        raw = self._take(name_bytes + -(_HEADER_BYTES + name_bytes) % 4, "name")[:name_bytes]
        if raw.find(b"\0") != name_bytes - 1:
            raise self._bad("name", offset + _HEADER_BYTES, "is not a single string that ends with NUL")
        name = raw[:-1].decode("utf-8", "surrogateescape")
        return CpioEntry(
            *(name, inode, mode, uid, gid, links, mtime, size, (fs_major, fs_minor), (major, minor), check),
            *(archive, offset),
        )

    def _skip_zeros(self) -> None:
        while piece := self._stream.peek(1):
            zeros = len(piece) - len(piece.lstrip(b"\0"))
            self._take(zeros, "padding")
            if zeros < len(piece):
                return

    def _skip(self, size_bytes: int, field: str) -> None:
        while size_bytes:
            size_bytes -= len(self._take(min(size_bytes, _CHUNK_BYTES), field))

    def _take(self, size_bytes: int, field: str) -> bytes:
        data = self._stream.read(size_bytes)
        if len(data) != size_bytes:
            raise self._bad(field, self.position, f"needs {size_bytes} bytes, {len(data)} are left")
        self.position += size_bytes
        return data

    def _bad(self, field: str, offset: int, problem: str) -> MalformedInputError:
        return MalformedInputError(f"{self._what} (cpio)", field=field, offset=offset, problem=printable(problem))
