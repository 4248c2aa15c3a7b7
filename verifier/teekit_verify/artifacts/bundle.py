"""Files that hold other files, as packages and libraries do: tar, ar (.a, .deb), zip (.jar) and cpio of POSIX, each member by its header.

Sources: POSIX.1-2017, pax, "ustar Interchange Format"; tar(5), "Old-Style Archive Format"; ar(5); APPNOTE.TXT 6.3.10 (zip).
"""

from __future__ import annotations

import re
import stat
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from teekit_verify.artifacts import odc, zip_methods
from teekit_verify.artifacts import pax as pax_format
from teekit_verify.artifacts.magic import AR_MAGIC, ZIP_MAGIC, is_tar
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from teekit_verify.artifacts.blob import Blob

SYMBOL_TABLE = "symbol table"
"""Of ar: it follows from the other members."""
MANY_MEMBERS, MOST_MEMBERS = 100_000, 500_000
"""As many as are kept at once, and as are read."""
_AR_HEADER_BYTES = 60
_TAR_BLOCK_BYTES = 512
_LONG_NAME, _LONG_LINK, _PAX = b"L", b"K", b"x"
_TAR_JOINED = {_LONG_NAME, _LONG_LINK, _PAX}
_TAR_FIELDS = {"path", "linkpath", "size", "uid", "gid", "uname", "gname", "mtime"}
_TAR_DEVICES = {b"3", b"4"}
_TAR_KINDS = {
    b"0": "file",
    b"\0": "file",
    b"1": "hard link",
    b"2": "symlink",
    b"3": "character device",
    b"4": "block device",
    b"5": "directory",
    b"6": "pipe",
    b"S": "sparse file",
    b"g": "global header",
}
FILE_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symlink",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
}
_ZIP_END, _ZIP_END_BYTES = b"PK\x05\x06", 22
_ZIP_ENTRY, _ZIP_ENTRY_BYTES, _ZIP_LOCAL_BYTES = b"PK\x01\x02", 46, 30
_MAX_DIRECTORY_BYTES = 16 << 20
_STORED, _DEFLATED = 0, 8
_SIZES_FOLLOW = 8
_KNOWN_FLAGS = 0b1110 | 1 << 11
"""4.4.4: how hard it was tried, sizes that follow, UTF-8; all others are of encryption, patches and what is reserved."""
_NEWEST = 63
"""4.4.3: what is needed to read it, ten times the version of the specification."""
_ZIP64 = 0xFFFFFFFF
_ZIP_UNIX = 3
_OUTPUT_BYTES = 1 << 18


@frozen
class BundleMember:
    """One member; `stored` is its content in the file, deflated or as it is. Texts are empty where a format has none."""

    name: str
    stored: Blob
    is_deflated: bool = False
    mode: str = ""
    owner: str = ""
    mtime: str = ""
    target: str = ""
    kind: str = ""
    records: tuple[tuple[str, str], ...] = ()
    """Of pax, what it has besides: times of access and change, comments."""
    xattrs: tuple[tuple[str, bytes], ...] = ()
    sum: tuple[int, int] | None = None
    """Of zip: CRC-32 and size of what it unpacks to. Where the method is not read, of nothing that is known here."""
    method: int = 0
    """Of zip, another one than deflate."""
    links: str = ""
    """How many names the file has, where the archive says it."""
    device: str = ""
    """Major and minor number, of a device."""

    @property
    def is_packed(self) -> bool:
        return self.is_deflated or self.method in zip_methods.KNOWN

    def content(self) -> Iterator[bytes]:
        """In pieces. Raises MalformedInputError for damaged data, at the end also for what has another checksum or size."""
        crc = size_bytes = 0
        for piece in self._pieces():
            if self.sum is not None:
                crc, size_bytes = zlib.crc32(piece, crc), size_bytes + len(piece)
            yield piece
        if self.sum not in {None, (crc, size_bytes)}:
            raise _bad(
                "zip", self.name, 0, f"unpacks to {size_bytes} bytes with the CRC {crc:08x}, which is not what it says"
            )

    def _pieces(self) -> Iterator[bytes]:
        if self.is_deflated:
            yield from self._inflated()
        elif self.method in zip_methods.KNOWN:
            yield from zip_methods.unpacked(self.method, self.stored, (self.sum or (0, 0))[1], self.name)
        else:
            yield from self.stored.pieces()

    def _inflated(self) -> Iterator[bytes]:
        state = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for piece in self.stored.pieces():
                yield state.decompress(piece, _OUTPUT_BYTES)
                while state.unconsumed_tail and not state.eof:  # what follows the end stays there for good
                    yield state.decompress(state.unconsumed_tail, _OUTPUT_BYTES)
                if state.unused_data or (state.eof and state.unconsumed_tail):
                    raise _bad("zip", self.name, 0, "something follows what is deflated")
            if not state.eof:
                raise _bad("zip", self.name, 0, "ends in the middle of what is deflated")
        except zlib.error as error:
            problem = f"cannot be unpacked: {error}"
            raise MalformedInputError("zip", field=self.name, offset=0, problem=problem) from error


class TooManyMembersError(UnsupportedInputError):
    """More than were asked for."""


def members_of(blob: Blob, *, with_sums: bool = False, most: int = MANY_MEMBERS) -> Iterator[BundleMember]:
    """In order; `with_sums` checks those of tar's headers. Raises MalformedInputError, or UnsupportedInputError for too many members and another format."""
    beginning = blob.read(0, _TAR_BLOCK_BYTES)
    read = reader_of(beginning) or old_reader_of(beginning)
    if read is None:
        raise UnsupportedInputError("bundle: no tar, ar, zip or cpio file")
    for count, member in enumerate(_tar(blob, with_sums=with_sums) if read is _tar else read(blob)):
        if count == most:
            raise TooManyMembersError(f"bundle: more than {most} members")
        yield member


def reader_of(beginning: bytes) -> Callable[[Blob], Iterator[BundleMember]] | None:
    if beginning.startswith(AR_MAGIC):
        return _ar
    if beginning.startswith(ZIP_MAGIC):
        return _zip
    return _tar if is_tar(beginning) else None


def old_reader_of(beginning: bytes) -> Callable[[Blob], Iterator[BundleMember]] | None:
    """Of formats that nothing is booted from: tar of before POSIX, which has a checksum and no magic number, and its cpio."""
    if beginning.startswith(odc.MAGIC):
        return _odc
    is_header = len(beginning) >= _TAR_BLOCK_BYTES and beginning[:1] != b"\0"
    return _old_tar if is_header and _has_tar_sum(beginning[:_TAR_BLOCK_BYTES]) else None


def _has_tar_sum(header: bytes) -> bool:
    digits = header[148:156].strip(b" \0")
    return re.fullmatch(rb"[0-7]{2,8}", digits) is not None and int(digits, 8) in _tar_sums(header)


def _odc(blob: Blob) -> Iterator[BundleMember]:
    for entry in odc.entries(blob):
        is_link = stat.S_ISLNK(entry.mode)
        is_device = stat.S_ISCHR(entry.mode) or stat.S_ISBLK(entry.mode)
        yield BundleMember(
            entry.name,
            entry.content.part(0, 0) if is_link else entry.content,
            mode=f"{entry.mode & 0o7777:04o}",
            owner=f"{entry.uid}:{entry.gid}",
            mtime=_time(entry.mtime),
            target=_text(entry.content.read(0, odc.MAX_NAME_BYTES)) if is_link else "",
            kind=FILE_KINDS.get(stat.S_IFMT(entry.mode), "another kind"),
            links=str(entry.links) if stat.S_ISREG(entry.mode) else "",
            device=f"{entry.device >> 8}:{entry.device & 0xFF}" if is_device else "",
        )


def _old_tar(blob: Blob) -> Iterator[BundleMember]:
    """Each header by its checksum."""
    return _tar(blob, with_sums=True, magic=b"")


def _ar(blob: Blob) -> Iterator[BundleMember]:
    at, names = len(AR_MAGIC), b""
    while header := blob.read(at, _AR_HEADER_BYTES):
        if len(header) < _AR_HEADER_BYTES or header[58:] != b"`\n":
            raise _bad("ar", "member header", at, "is truncated, or does not end as one")
        size_bytes = _number(header[48:58], 10, "ar", at + 48)
        content = blob.part(at + _AR_HEADER_BYTES, size_bytes)
        name = header[:16].rstrip(b" ")
        if name == b"//":
            names = content.read(0, _MAX_DIRECTORY_BYTES)
        elif long := re.fullmatch(rb"/(\d+)", name):
            name = names[int(long[1]) :].split(b"\n", 1)[0]
        seconds = _number(header[16:28], 10, "ar", at + 16)
        owner = f"{_text(header[28:34])}:{_text(header[34:40])}"
        label = SYMBOL_TABLE if name == b"/" else _text(name.removesuffix(b"/") or name)
        yield BundleMember(label, content, mode=_mode(header[40:48], "ar", at + 40), owner=owner, mtime=_time(seconds))
        at += _AR_HEADER_BYTES + size_bytes + size_bytes % 2


def _tar(blob: Blob, *, with_sums: bool = False, magic: bytes = b"ustar") -> Iterator[BundleMember]:
    """GNU's long names and the headers of pax are joined to their members; a global header of pax is one of its own.

    Only zeros may follow the end of the archive: tar does not look at the rest, and nobody would be told that it differs.
    """
    at = 0
    long: dict[bytes, bytes] = {}
    pax: dict[str, bytes] = {}
    while (header := blob.read(at, _TAR_BLOCK_BYTES)).strip(b"\0"):
        if len(header) < _TAR_BLOCK_BYTES or not header.startswith(magic, 257):
            raise _bad("tar", "member header", at, "is truncated or malformed")
        kind = header[156:157]
        size_bytes = _number(header[124:136], 8, "tar", at + 124)
        if with_sums and _number(header[148:156], 8, "tar", at + 148) not in _tar_sums(header):
            raise _bad("tar", "header checksum", at + 148, "is another one: tar looks for a header further on")
        if kind not in _TAR_JOINED and "size" in pax:
            size_bytes = _decimal(pax["size"], at)
        start = at
        at += _sparse_map_bytes(blob, header, at)
        content = blob.part(at + _TAR_BLOCK_BYTES, size_bytes)
        if content.size_bytes < size_bytes:
            raise _bad("tar", "size", at + 124, f"{size_bytes} bytes are more than there are")
        at += _TAR_BLOCK_BYTES + -(-size_bytes // _TAR_BLOCK_BYTES) * _TAR_BLOCK_BYTES
        if at > blob.size_bytes:
            raise _bad("tar", "last block", blob.size_bytes, "is cut off")
        if kind in _TAR_JOINED:
            if size_bytes > pax_format.MAX_BYTES:
                raise _bad("tar", "size", start + 124, f"a header of {size_bytes} bytes is too large")
            if kind == _PAX:
                pax = pax_format.pax_records(content.read(0, size_bytes), start + _TAR_BLOCK_BYTES)
            else:
                long[kind] = content.read(0, size_bytes)
            continue
        yield _tar_member(header, content, long, pax, start)
        long, pax = {}, {}
    if any(piece.count(0) != len(piece) for piece in blob.pieces(at)):
        raise _bad("tar", "end of the archive", at, "something other than zeros follows it")


def _tar_sums(header: bytes) -> set[int]:
    """With spaces in place of the sum; old programs added signed bytes, and GNU tar takes those too."""
    found = header[:148] + b" " * 8 + header[156:]
    return {sum(found), sum(byte - 256 if byte > 127 else byte for byte in found)}  # noqa: PLR2004


def _sparse_map_bytes(blob: Blob, header: bytes, at: int) -> int:
    """Of GNU's old sparse files, the blocks between header and content, which its size does not count (sparse_header of GNU tar)."""
    size_bytes, goes_on = 0, header[156:157] == b"S" and header[482]
    while goes_on:
        size_bytes += _TAR_BLOCK_BYTES
        block = blob.read(at + size_bytes, _TAR_BLOCK_BYTES)
        if len(block) < _TAR_BLOCK_BYTES:
            raise _bad("tar", "sparse map", at + size_bytes, "is truncated")
        goes_on = block[504]
    return size_bytes


def _tar_member(header: bytes, content: Blob, long: dict[bytes, bytes], pax: dict[str, bytes], at: int) -> BundleMember:
    prefix = header[345:500].split(b"\0", 1)[0] if header[262:263] == b"\0" else b""
    short = b"/".join(part for part in (prefix, header[:100].split(b"\0", 1)[0]) if part)
    uid, gid, user, group = (
        _text(pax.get(key, header[start:stop]))
        for key, start, stop in (("uid", 108, 116), ("gid", 116, 124), ("uname", 265, 297), ("gname", 297, 329))
    )
    xattrs = dict(found for key, value in pax.items() if (found := pax_format.xattr_of(key, value)))
    others = {key: value for key, value in pax.items() if not pax_format.xattr_of(key, value)}
    is_device = header[156:157] in _TAR_DEVICES
    device = [_number(header[start : start + 8], 8, "tar", at + start) for start in (329, 337)] if is_device else []
    return BundleMember(
        _text(pax.get("path") or long.get(_LONG_NAME) or short),
        content,
        mode=_mode(header[100:108], "tar", at),
        owner=f"{uid.lstrip('0') or 0}:{gid.lstrip('0') or 0} {user}:{group}",
        mtime=_pax_time(pax["mtime"]) if "mtime" in pax else _time(_number(header[136:148], 8, "tar", at)),
        target=_text(pax.get("linkpath") or long.get(_LONG_LINK) or header[157:257]),
        kind=_TAR_KINDS.get(header[156:157], f"type {_text(header[156:157])}"),
        records=tuple((key, _record(key, value)) for key, value in sorted(others.items()) if key not in _TAR_FIELDS),
        xattrs=tuple(sorted(xattrs.items())),
        device=":".join(map(str, device)),
    )


def _record(key: str, value: bytes) -> str:
    return (
        _pax_time(value) if key in {"atime", "ctime", "LIBARCHIVE.creationtime"} else value.decode("utf-8", "replace")
    )


def _pax_time(value: bytes) -> str:
    """Seconds, perhaps with a fraction."""
    match = re.fullmatch(rb"(\d{1,11})(\.\d{1,18})?", value)
    if match is None:
        return value.decode("utf-8", "replace")
    return _time(int(match[1])).replace(" UTC", f"{(match[2] or b'').decode()} UTC")


def _decimal(value: bytes, offset: int) -> int:
    return _number(value, 10, "tar", offset)


def _zip(blob: Blob) -> Iterator[BundleMember]:
    """By the central directory. What a reader that goes from the front would see in another way is refused."""
    at, directory = _zip_directory(blob)
    place = 0
    while place < len(directory):
        entry = directory[place : place + _ZIP_ENTRY_BYTES]
        if len(entry) < _ZIP_ENTRY_BYTES or not entry.startswith(_ZIP_ENTRY):
            raise _bad("zip", "directory entry", at + place, "is truncated or malformed")
        flags, method, clock, day = (int.from_bytes(entry[start : start + 2], "little") for start in (8, 10, 12, 14))
        crc, packed, size_bytes, offset = (
            int.from_bytes(entry[start : start + 4], "little") for start in (16, 20, 24, 42)
        )
        if _ZIP64 in {packed, size_bytes, offset} or flags & ~_KNOWN_FLAGS or entry[6] > _NEWEST:
            raise UnsupportedInputError(
                "zip: a member that is encrypted, has its sizes in the form of zip64, or is of a newer version"
            )
        name_bytes, *others = (int.from_bytes(entry[start : start + 2], "little") for start in (28, 30, 32))
        raw_name = directory[place + _ZIP_ENTRY_BYTES : place + _ZIP_ENTRY_BYTES + name_bytes]
        is_known = method in {_STORED, _DEFLATED}
        yield BundleMember(
            _text(raw_name),
            _zip_stored(blob, entry, raw_name),
            is_deflated=method == _DEFLATED,
            mode=f"{int.from_bytes(entry[40:42], 'little') & 0o7777:04o}",
            kind=_zip_kind(entry, raw_name),
            mtime=_dos_time(day, clock),
            target="" if is_known else f"packed by method {method}",
            sum=(crc, size_bytes) if is_known or method in zip_methods.KNOWN else None,
            method=0 if is_known else method,
        )
        place += _ZIP_ENTRY_BYTES + name_bytes + sum(others)


def _zip_kind(entry: bytes, name: bytes) -> str:
    """By the mode of Unix, if it was packed there (4.4.2, 4.4.15); otherwise by the slash at the end of a folder's name."""
    kind = stat.S_IFMT(int.from_bytes(entry[40:42], "little")) if entry[5] == _ZIP_UNIX else 0
    return FILE_KINDS.get(kind, "directory" if name.endswith(b"/") else "file")


def _zip_directory(blob: Blob) -> tuple[int, bytes]:
    """Where it is, and its bytes. The end record is the last thing in the file, but for its comment."""
    tail_start = max(0, blob.size_bytes - _ZIP_END_BYTES - (1 << 16))
    tail = blob.read(tail_start, blob.size_bytes - tail_start)
    end = tail.rfind(_ZIP_END)
    if end < 0 or len(tail) != end + _ZIP_END_BYTES + int.from_bytes(tail[end + 20 : end + 22], "little"):
        raise _bad("zip", "end of the directory", tail_start, "is missing, or something follows it")
    size_bytes, at = (int.from_bytes(tail[end + start : end + start + 4], "little") for start in (12, 16))
    if size_bytes > _MAX_DIRECTORY_BYTES:
        raise UnsupportedInputError(f"zip: a directory of {size_bytes} bytes, more than this program reads")
    if at + size_bytes != tail_start + end:
        raise _bad("zip", "directory", at, "does not lie right before its end record")
    return at, blob.read(at, size_bytes)


def _zip_stored(blob: Blob, entry: bytes, name: bytes) -> Blob:
    """What the directory's entry and the header before the content agree about (4.3.7; bit 3: sizes follow the content)."""
    packed, offset = (int.from_bytes(entry[start : start + 4], "little") for start in (20, 42))
    local = blob.read(offset, _ZIP_LOCAL_BYTES)
    name_bytes, more = (int.from_bytes(local[start : start + 2], "little") for start in (26, 28))
    stored = blob.part(offset + _ZIP_LOCAL_BYTES + name_bytes + more, packed)
    agrees = local[8:10] == entry[10:12] and blob.read(offset + _ZIP_LOCAL_BYTES, name_bytes) == name
    if not int.from_bytes(local[6:8], "little") & _SIZES_FOLLOW:
        agrees = agrees and local[14:26] == entry[16:28]
    if not local.startswith(ZIP_MAGIC) or not agrees or stored.size_bytes < packed:
        raise _bad("zip", _text(name), offset, "has another header than its entry in the directory, or is truncated")
    return stored


def _number(field: bytes, base: int, what: str, offset: int) -> int:
    """Digits with spaces or NUL around; GNU tar's binary numbers have the highest bit set."""
    if base == 8 and field[:1] >= b"\x80":  # noqa: PLR2004
        return int.from_bytes(field[-8:], "big")
    digits = field.strip(b" \0") or b"0"
    if not re.fullmatch(rb"[0-7]{1,12}" if base == 8 else rb"[0-9]{1,12}", digits):  # noqa: PLR2004
        raise _bad(what, "number", offset, f"{digits!r} has characters that are not digits")
    return int(digits, base)


def _mode(field: bytes, what: str, offset: int) -> str:
    return f"{_number(field, 8, what, offset) & 0o7777:04o}"


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape").strip(" ")


def _time(seconds: int) -> str:
    if seconds >= 1 << 36:
        return f"{seconds} s"
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _dos_time(day: int, clock: int) -> str:
    date = f"{1980 + (day >> 9)}-{day >> 5 & 15:02}-{day & 31:02}"
    return f"{date} {clock >> 11:02}:{clock >> 5 & 63:02}:{2 * (clock & 31):02}"


def _bad(what: str, field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError(what, field=field, offset=offset, problem=problem)
