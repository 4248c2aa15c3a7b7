"""ISO 9660 with Rock Ridge: ECMA-119 (8.4, 9.1), SUSP 1.12, RRIP 1.12 (PX, PN, SL, NM, CL, PL, RE, TF); what El Torito 1.0 boots.

Names are Rock Ridge's where the root has them, else Joliet's, else those of ISO 9660 without their version, as Linux has it. Numbers are read in their little-endian form.
"""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from teekit_verify.artifacts.fields import Field
from teekit_verify.artifacts.filetree import MAX_TARGET_BYTES, Meter, Node, TreeFile, Walk, linux_device, nothing
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob

SECTOR_BYTES = 2048
_FIRST_DESCRIPTOR, _MOST_DESCRIPTORS = 16, 64
_BOOT, _PRIMARY, _SUPPLEMENTARY, _END = 0, 1, 2, 255
_JOLIET = {b"%/@", b"%/C", b"%/E"}
"""Escape sequences of UCS-2, in levels 1 to 3."""
_DIRECTORY, _MORE_EXTENTS = 2, 0x80
_MAX_DIRECTORY_BYTES = 64 << 20
_MAX_CONTINUATIONS = 32
_MAX_EXTENTS = 10_000
_EL_TORITO = b"EL TORITO SPECIFICATION"
_BOOT_IMAGES = 32
_FIRST_RECORD_BYTES = 33
_PARSED_TIMES = 8
"""An entry of the system use area has 4 bytes at least, and takes more work than reading them."""


@frozen
class BootImage:
    """An entry of El Torito's catalog: platform (0 x86, 0xef EFI), media type, and the content as far as the entry says."""

    platform: int
    is_bootable: bool
    media: int
    content: Blob


class Iso9660:
    """An image; `files` walks it. Raises MalformedInputError with offset and field, or UnsupportedInputError."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._meter = Meter.of("ISO 9660", blob.size_bytes)
        self._records: dict[int, tuple[bytes, tuple[tuple[int, int], ...]]] = {}
        self.descriptors = tuple(self._descriptors())
        primary = [row for row in self.descriptors if row[0] == _PRIMARY]
        if not primary:
            raise _bad("descriptors", _FIRST_DESCRIPTOR * SECTOR_BYTES, "none is a primary volume descriptor")
        self.primary = primary[0]
        self.block_bytes = int.from_bytes(self.primary[128:130], "little")
        if self.block_bytes not in {512, 1024, 2048}:
            raise _bad("block size", _FIRST_DESCRIPTOR * SECTOR_BYTES + 128, f"{self.block_bytes} bytes")
        self._skip = 0
        self._is_rock_ridge = False
        self._is_joliet = False
        self._root = self._opened_root(self.primary[156:190])
        second = next((row for row in self.descriptors if row[0] == _SUPPLEMENTARY and row[88:91] in _JOLIET), None)
        if second is not None and not self._is_rock_ridge:
            self._root, self._is_joliet = self._opened_root(second[156:190]), True

    def facts(self) -> dict[str, str]:
        """Fields of the primary volume descriptor, ECMA-119 8.4."""
        texts = {"volume ID": (40, 72), "publisher": (318, 446), "preparer": (446, 574), "application": (574, 702)}
        times = {Field.ISO_MADE: 813, Field.ISO_MODIFIED: 830, Field.ISO_EFFECT: 864}
        return {
            **{name: self.primary[start:stop].decode("latin-1").rstrip() for name, (start, stop) in texts.items()},
            **{name: _long_time(self.primary[at : at + 17]) for name, at in times.items()},
        }

    def files(self) -> Iterator[TreeFile]:
        """Every name with what the record says. A record's offset in the image is its inode where Rock Ridge has none."""
        return Walk("ISO 9660", self._node, self._children).files(self._root)

    def boot_images(self) -> tuple[BootImage, ...]:
        """Of El Torito's catalog."""
        for row in self.descriptors:
            if row[0] == _BOOT and row[7:39].rstrip(b"\0 ") == _EL_TORITO:
                catalog = self._blob.read(int.from_bytes(row[71:75], "little") * SECTOR_BYTES, 32 * _BOOT_IMAGES)
                return tuple(self._images(catalog))
        return ()

    def _images(self, catalog: bytes) -> Iterator[BootImage]:
        """1 validation entry, a default entry, then sections: a header (0x90, the last one 0x91) and its entries."""
        platform, left = catalog[1] if len(catalog) > 1 else 0, 1
        for at in range(32, len(catalog) - 31, 32):
            row = catalog[at : at + 32]
            if not left:
                if row[0] not in {0x90, 0x91}:
                    return
                platform, left = row[1], int.from_bytes(row[2:4], "little")
                continue
            if row[0] == 0x44:  # noqa: PLR2004 - more of the entry before
                continue
            left -= 1
            sectors, start = int.from_bytes(row[6:8], "little"), int.from_bytes(row[8:12], "little")
            content = self._blob.part(start * SECTOR_BYTES, max(1, sectors) * 512)
            yield BootImage(platform, row[0] == 0x88, row[1], content)  # noqa: PLR2004

    def _descriptors(self) -> Iterator[bytes]:
        for number in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _MOST_DESCRIPTORS):
            row = self._blob.read(number * SECTOR_BYTES, SECTOR_BYTES)
            if len(row) < SECTOR_BYTES or row[1:6] != b"CD001":
                raise _bad("descriptor", number * SECTOR_BYTES, "is truncated or malformed")
            yield row
            if row[0] == _END:
                return
        raise UnsupportedInputError(f"ISO 9660: more than {_MOST_DESCRIPTORS} descriptors")

    def _opened_root(self, record: bytes) -> int:
        """With the sharing protocol's first entry (SP) in the directory's own record, which says how many bytes to skip."""
        start = self._place(record)
        own = self._blob.read(start, 255)
        own = own[: own[0]] if own else b""
        use = own[_name_end(own) :] if len(own) > _FIRST_RECORD_BYTES else b""
        if len(use) >= 7 and use[:2] == b"SP" and use[4:6] == b"\xbe\xef":  # noqa: PLR2004
            self._skip, self._is_rock_ridge = use[6], True
        self._records[start] = own, ((start, self._size(own or record)),)
        return start

    def _place(self, record: bytes) -> int:
        return int.from_bytes(record[2:6], "little") * self.block_bytes

    @staticmethod
    def _size(record: bytes) -> int:
        return int.from_bytes(record[10:14], "little")

    def _children(self, reference: int) -> Iterator[tuple[bytes, int]]:
        _, extents = self._records[reference]
        size = sum(length for _, length in extents)
        if size > _MAX_DIRECTORY_BYTES:
            raise UnsupportedInputError(f"ISO 9660: a directory of {size} bytes, more than this program reads")
        waiting: list[tuple[int, int]] = []
        for start, length in extents:
            for at, record in self._rows(start, length):
                if record[32:34] in {b"\1\0", b"\1\1"}:
                    continue  # itself, and the one above
                waiting.append((self._place(record), self._size(record)))
                if record[25] & _MORE_EXTENTS:
                    if len(waiting) > _MAX_EXTENTS:
                        raise UnsupportedInputError(f"ISO 9660: a file in more than {_MAX_EXTENTS} pieces")
                    continue
                yield from self._child(at, record, tuple(waiting))
                waiting = []

    def _child(self, at: int, record: bytes, extents: tuple[tuple[int, int], ...]) -> Iterator[tuple[bytes, int]]:
        fields = dict(self._fields(record))
        if b"RE" in fields:
            return  # the place of folders that are named elsewhere
        if record[26] or record[27]:
            raise UnsupportedInputError("ISO 9660: a file in interleaved pieces")
        raw_name = record[33 : 33 + record[32]]
        if self._is_joliet:
            raw_name = raw_name.decode("utf-16-be", "replace").encode()
        name = fields.get(b"NM") or _plain_name(raw_name, is_directory=bool(record[25] & _DIRECTORY))
        if b"CL" in fields:
            start = int.from_bytes(fields[b"CL"][:4], "little") * self.block_bytes
            own = self._blob.read(start, 255)
            own = own[: own[0]] if own else b""
            if len(own) < _FIRST_RECORD_BYTES + 1:
                raise _bad("relocated directory", start, "is truncated")
            self._records[start] = own, ((start, self._size(own)),)
            yield name, start
            return
        reference = extents[0][0] if record[25] & _DIRECTORY else at
        self._records[reference] = record, extents
        yield name, reference

    def _rows(self, start: int, length: int) -> Iterator[tuple[int, bytes]]:
        """Records do not cross sectors: what is left of one is zeros."""
        self._meter.spend(length)
        data = self._blob.read(start, length)
        if len(data) < length:
            raise _bad("directory", start, "lies outside the image")
        at = 0
        while at < length:
            size = data[at]
            if not size:
                at = (at // SECTOR_BYTES + 1) * SECTOR_BYTES
                continue
            record = data[at : at + size]
            if size <= _FIRST_RECORD_BYTES or len(record) < size or _FIRST_RECORD_BYTES + record[32] > size:
                raise _bad("directory record", start + at, "is truncated")
            self._meter.spend(size)
            yield start + at, record
            at += size

    def _fields(self, record: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Entries of the system use area by their signatures, with what follows the version; those in pieces are joined."""
        if not self._is_rock_ridge:
            return
        joined: dict[bytes, bytes] = {}
        area = record[_name_end(record) + self._skip :]
        for _ in range(_MAX_CONTINUATIONS):
            place, goes_on = 0, b""
            self._meter.spend(_PARSED_TIMES * len(area))
            while place + 4 <= len(area) and area[place + 2] >= 4 and area[place : place + 2] != b"ST":  # noqa: PLR2004
                signature, size = area[place : place + 2], area[place + 2]
                value = area[place + 4 : place + size]
                if signature == b"CE":
                    goes_on = value
                elif signature in {b"NM", b"SL"}:
                    joined[signature] = joined.get(signature, b"") + value[1:]
                else:
                    joined.setdefault(signature, value)
                place += size
            if len(goes_on) < 24:  # noqa: PLR2004
                break
            block, offset, size = (int.from_bytes(goes_on[at : at + 4], "little") for at in (0, 8, 16))
            area = self._blob.read(block * self.block_bytes + offset, min(size, SECTOR_BYTES))
        yield from joined.items()

    def _node(self, reference: int) -> Node:
        record, extents = self._records[reference]
        fields = dict(self._fields(record))
        is_directory = bool(record[25] & _DIRECTORY) if len(record) > _FIRST_RECORD_BYTES else True
        px = fields.get(b"PX", b"")
        mode, links, uid, gid, inode = (int.from_bytes(px[at : at + 4], "little") for at in (0, 8, 16, 24, 32))
        if not px:
            mode, links = (stat.S_IFDIR | 0o555 if is_directory else stat.S_IFREG | 0o444), 1
        if is_directory:
            mode = stat.S_IFDIR | stat.S_IMODE(mode)
        size = sum(length for _, length in extents)
        is_file = stat.S_ISREG(mode)
        return Node(
            inode=inode if px and len(px) >= 40 and links > 1 else reference,  # noqa: PLR2004
            mode=mode,
            uid=uid,
            gid=gid,
            links=links,
            mtime=_mtime(fields.get(b"TF", b""), record),
            size_bytes=size if is_file else 0,
            content=(lambda: self._content(extents)) if is_file else nothing,
            device=_device(fields.get(b"PN", b"")),
            target=_target(fields.get(b"SL", b"")) if stat.S_ISLNK(mode) else "",
        )

    def _content(self, extents: tuple[tuple[int, int], ...]) -> Iterator[bytes]:
        for start, length in extents:
            part = self._blob.part(start, length)
            if part.size_bytes < length:
                raise _bad("file", start, "lies outside the image")
            yield from part.pieces()


def _name_end(record: bytes) -> int:
    """Of the identifier, with the byte that makes it even."""
    length = record[32] if len(record) > _FIRST_RECORD_BYTES else 0
    return 33 + length + (1 - length % 2)


def _plain_name(raw: bytes, *, is_directory: bool) -> bytes:
    return raw if is_directory else raw.split(b";", 1)[0].rstrip(b".") or raw


def _mtime(stamps: bytes, record: bytes) -> int | None:
    """Of TF the second one that its flags name (creation, modification, access ...), else the record's own."""
    if stamps:
        flags, width = stamps[0], 17 if stamps[0] & 0x80 else 7
        if flags & 2:
            at = 1 + width * (flags & 1)
            raw = stamps[at : at + width]
            return _short_time(raw) if width == 7 else None  # noqa: PLR2004
    return _short_time(record[18:25]) if len(record) > _FIRST_RECORD_BYTES else None


def _short_time(raw: bytes) -> int | None:
    """Years from 1900, month, day, hour, minute, second, quarters of an hour from Greenwich."""
    try:
        moment = datetime(1900 + raw[0], raw[1], raw[2], raw[3], raw[4], raw[5], tzinfo=UTC)
        zone = raw[6] - 256 if raw[6] > 127 else raw[6]  # noqa: PLR2004
    except (ValueError, IndexError):
        return None
    return (int(moment.timestamp()) - zone * 900) * 10**9


def _long_time(raw: bytes) -> str:
    digits = raw[:16].decode("latin-1")
    if not digits.strip("0") or not (digits.isascii() and digits.isdigit()):
        return "none"
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]} {digits[8:10]}:{digits[10:12]}:{digits[12:14]} UTC"


def _device(raw: bytes) -> tuple[int, int]:
    """RRIP 4.1.2: two halves of 32 bits; where the higher one is 0 the lower one may hold both numbers, as Linux has them."""
    high, low = int.from_bytes(raw[:4], "little"), int.from_bytes(raw[8:12], "little")
    return (high, low) if high else linux_device(low)


def _target(raw: bytes) -> str:
    """RRIP 4.1.3.1: components, each with flags (1 goes on, 2 `.`, 4 `..`, 8 root) and a length."""
    parts: list[bytes] = []
    at, goes_on, is_root = 0, False, False
    while at + 2 <= len(raw) and at < 2 * MAX_TARGET_BYTES:
        flags, size = raw[at], raw[at + 1]
        part = {2: b".", 4: b"..", 8: b""}.get(flags & 14, raw[at + 2 : at + 2 + size])
        is_root = is_root or bool(flags & 8)
        if goes_on and parts:
            parts[-1] += part
        elif not flags & 8:
            parts.append(part)
        goes_on = bool(flags & 1)
        at += 2 + size
    return (b"/" * is_root + b"/".join(parts)).decode("utf-8", "surrogateescape")


def _bad(field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError("ISO 9660", field=field, offset=offset, problem=problem)
