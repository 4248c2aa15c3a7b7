"""squashfs 4.0: Linux Documentation/filesystems/squashfs.rst and fs/squashfs/squashfs_fs.h.

Everything is little-endian. Metadata lies in blocks of 8 KiB, each compressed on its own; a reference to metadata is the
offset of the packed block in its table, shifted by 16, and an offset in the unpacked one.
"""

from __future__ import annotations

import hashlib
import lzma
import stat
import struct
import zlib
from functools import partial
from typing import TYPE_CHECKING

from teekit_verify.artifacts.block_codecs import block_codec
from teekit_verify.artifacts.filetree import (
    MAX_ENTRIES,
    MAX_TARGET_BYTES,
    MAX_XATTR_BYTES,
    Node,
    TreeFile,
    Walk,
    linux_device,
    nothing,
    zeros,
)
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob

MAGIC = b"hsqs"
_WHAT = "squashfs"
_SUPERBLOCK = struct.Struct("<4sIIIIHHHHHHQQQQQQQQ")
_META_BYTES = 8192
_NONE, _NO_TABLE = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
_COMPRESSIONS = {1: "zlib", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}
_MAX_BLOCK_BYTES = 1 << 20
_MAX_CACHED = 64
_MAX_DIRECTORY_BYTES = 256 << 20
_MAX_XATTRS = 1000
_PREFIXES = ("user.", "trusted.", "security.")
_KINDS = (
    stat.S_IFDIR,
    stat.S_IFREG,
    stat.S_IFLNK,
    stat.S_IFBLK,
    stat.S_IFCHR,
    stat.S_IFIFO,
    stat.S_IFSOCK,
)
_DIRECTORY, _FILE, _SYMLINK, _DEVICES = 0, 1, 2, (3, 4)


class Squashfs:
    """An image; `files` walks it. Raises MalformedInputError with offset and field, or UnsupportedInputError."""

    def __init__(self, blob: Blob) -> None:
        raw = blob.read(0, _SUPERBLOCK.size)
        if len(raw) < _SUPERBLOCK.size or not raw.startswith(MAGIC):
            raise _bad("superblock", 0, "is truncated, or has the wrong magic number")
        fields = _SUPERBLOCK.unpack(raw)
        self._blob = blob
        self.made = fields[2]
        self.block_bytes, self.fragments, compression = fields[3], fields[4], fields[5]
        self.ids, major = fields[8], fields[9]
        self.root = fields[11]
        (self._id_table, self._xattr_table, self._inodes, self._directories, self._fragment_table) = fields[13:18]
        if major != 4 or not 4096 <= self.block_bytes <= _MAX_BLOCK_BYTES:  # noqa: PLR2004 - version 4.0
            raise UnsupportedInputError(
                f"{_WHAT}: version {major} with blocks of {self.block_bytes} bytes is not supported"
            )
        self.compression = _COMPRESSIONS.get(compression, f"method {compression}")
        self._codec = block_codec(self.compression, _WHAT)
        self._digests: dict[int, bytes] = {}
        self._blocks: dict[tuple[int, int], bytes] = {}

    def files(self) -> Iterator[TreeFile]:
        """Every name with its inode."""
        return Walk(_WHAT, self._node, self._children).files(self.root)

    def _meta(self, start: int) -> tuple[bytes, int]:
        """A metadata block, unpacked, and where the next one begins."""
        header = self._blob.read(start, 2)
        if len(header) < 2:  # noqa: PLR2004
            raise _bad("metadata block", start, "lies outside the image")
        size = int.from_bytes(header, "little")
        packed = size & 0x7FFF or 0x8000
        return self._unpacked(start + 2, packed, _META_BYTES, is_plain=bool(size & 0x8000)), start + 2 + packed

    def _unpacked(self, start: int, packed_bytes: int, limit_bytes: int, *, is_plain: bool) -> bytes:
        """Blocks that were read last are kept: directories and fragments share them."""
        if (found := self._blocks.get((start, packed_bytes))) is not None:
            return found
        data = self._blob.read(start, packed_bytes)
        if len(data) < packed_bytes:
            raise _bad("block", start, f"{packed_bytes} bytes are more than there are")
        if not is_plain:
            try:
                data = self._codec(data, limit_bytes)
            except (ValueError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
                raise _bad("block", start, f"cannot be unpacked: {error}") from error
        if len(data) > limit_bytes:
            raise _bad("block", start, f"unpacks to more than {limit_bytes} bytes")
        if len(self._blocks) >= _MAX_CACHED:
            self._blocks.pop(next(iter(self._blocks)))
        self._blocks[start, packed_bytes] = data
        return data

    def _metadata(self, table: int, reference: int, size_bytes: int) -> bytes:
        """`size_bytes` from a reference on, through as many blocks as that takes."""
        start, skip = table + (reference >> 16), reference & 0xFFFF
        found = bytearray()
        while len(found) < size_bytes:
            block, start = self._meta(start)
            if len(block) <= skip:
                raise _bad("metadata", start, f"offset {skip} is beyond its block")
            found += block[skip:]
            skip = 0
        return bytes(found[:size_bytes])

    def _row(self, table: int, index: int, row_bytes: int) -> bytes:
        """Of a table of blocks that is found by a list of their places."""
        per_block = _META_BYTES // row_bytes
        pointer = self._blob.read(table + 8 * (index // per_block), 8)
        place = int.from_bytes(pointer, "little")
        return self._metadata(place, row_bytes * (index % per_block), row_bytes)

    def _node(self, reference: int) -> Node:
        read = partial(self._metadata, self._inodes, reference)
        kind, mode, uid, gid, mtime, number = struct.unpack("<HHHHII", read(16))
        if not 1 <= kind <= 2 * len(_KINDS):
            raise _bad("inode type", self._inodes + (reference >> 16), f"{kind} is unknown")
        base, is_long = (kind - 1) % len(_KINDS), kind > len(_KINDS)
        links, size, device, target, xattr, content = 1, 0, 0, "", _NONE, nothing
        stored: partial[Iterator[bytes]] | None = None
        if base == _DIRECTORY:
            raw = read(40 if is_long else 32)
            links, size, xattr = (
                (*struct.unpack_from("<II", raw, 16), *struct.unpack_from("<I", raw, 36))
                if is_long
                else (*struct.unpack_from("<IH", raw, 20), _NONE)
            )
        elif base == _FILE:
            links, size, xattr, file = self._file(reference, is_long=is_long)
            content, stored = file, partial(self._stored, *file.args)
        elif base == _SYMLINK:
            links, size = struct.unpack_from("<II", read(24), 16)
            if size > MAX_TARGET_BYTES:
                raise _bad("symlink", self._inodes + (reference >> 16), f"{size} bytes are too many")
            raw = read(24 + size + (4 if is_long else 0))
            target = raw[24 : 24 + size].decode("utf-8", "surrogateescape")
            xattr = struct.unpack_from("<I", raw, 24 + size)[0] if is_long else _NONE
        else:
            has_device = base in _DEVICES
            raw = read(20 + 4 * has_device + 4 * is_long)
            links = struct.unpack_from("<I", raw, 16)[0]
            device = struct.unpack_from("<I", raw, 20)[0] if has_device else 0
            xattr = struct.unpack_from("<I", raw, len(raw) - 4)[0] if is_long else _NONE
        return Node(
            *(number, _KINDS[base] | mode & 0o7777, self._id(uid), self._id(gid), links),
            *(mtime * 10**9, 0 if base == _DIRECTORY else size, content),
            linux_device(device),
            target,
            self._xattrs(xattr) if xattr != _NONE else (),
            stored=stored,
        )

    def _file(self, reference: int, *, is_long: bool) -> tuple[int, int, int, partial[Iterator[bytes]]]:
        if is_long:
            fixed = 56
            raw = self._metadata(self._inodes, reference, fixed)
            start, size, _, links, fragment, offset, xattr = struct.unpack_from("<QQQIIII", raw, 16)
        else:
            fixed = 32
            raw = self._metadata(self._inodes, reference, fixed)
            start, fragment, offset, size = struct.unpack_from("<IIII", raw, 16)
            links, xattr = 1, _NONE
        return links, size, xattr, partial(self._content, reference, fixed, start, size, fragment, offset)

    def _content(  # noqa: PLR0917 - the fields of an inode
        self, reference: int, fixed: int, start: int, size: int, fragment: int, offset: int
    ) -> Iterator[bytes]:
        sizes = self._block_sizes(reference, fixed, size, fragment)
        left = size
        for (packed,) in struct.iter_unpack("<I", sizes):
            wanted = min(left, self.block_bytes)
            packed_bytes = packed & 0xFFFFFF
            if packed_bytes:
                is_plain = bool(packed & 1 << 24)
                yield self._exactly(self._unpacked(start, packed_bytes, self.block_bytes, is_plain=is_plain), wanted)
            else:
                yield from zeros(wanted)
            start += packed_bytes
            left -= wanted
        if left:
            yield self._exactly(self._fragment(fragment)[offset : offset + left], left)

    def _block_sizes(self, reference: int, fixed: int, size: int, fragment: int) -> bytes:
        """What each block takes, in 4 bytes."""
        count = size // self.block_bytes if fragment != _NONE else -(-size // self.block_bytes)
        if count > self._blob.size_bytes and count > MAX_ENTRIES:
            raise _bad("file size", self._inodes + (reference >> 16), f"{size} bytes need more blocks than there are")
        return self._metadata(self._inodes, reference, fixed + 4 * count)[fixed:]

    def _stored(  # noqa: PLR0917 - as of _content
        self, reference: int, fixed: int, start: int, size: int, fragment: int, offset: int
    ) -> Iterator[bytes]:
        """Method and sizes, the packed blocks, and of a fragment, which many files share, the digest and the place in it."""
        sizes = self._block_sizes(reference, fixed, size, fragment)
        yield f"{self.compression} {self.block_bytes} {size}".encode()
        yield sizes
        for (packed,) in struct.iter_unpack("<I", sizes):
            yield self._blob.read(start, packed & 0xFFFFFF)
            start += packed & 0xFFFFFF
        if fragment != _NONE:
            yield self._fragment_digest(fragment)
            yield offset.to_bytes(4, "little")

    def _fragment_digest(self, index: int) -> bytes:
        if index not in self._digests:
            place, packed = struct.unpack_from("<QI", self._row(self._fragment_table, index, 16))
            data = packed.to_bytes(4, "little") + self._blob.read(place, packed & 0xFFFFFF)
            if len(self._digests) >= MAX_ENTRIES:
                self._digests.clear()
            self._digests[index] = hashlib.sha256(data).digest()
        return self._digests[index]

    def _exactly(self, data: bytes, wanted: int) -> bytes:
        if len(data) != wanted:
            raise _bad("file content", 0, f"a block has {len(data)} bytes, expected {wanted}")
        return data

    def _fragment(self, index: int) -> bytes:
        if index >= self.fragments:
            raise _bad("fragment", self._fragment_table, f"number {index} of {self.fragments}")
        place, packed = struct.unpack_from("<QI", self._row(self._fragment_table, index, 16))
        return self._unpacked(place, packed & 0xFFFFFF, self.block_bytes, is_plain=bool(packed & 1 << 24))

    def _id(self, index: int) -> int:
        if index >= self.ids:
            raise _bad("owner", self._id_table, f"number {index} of {self.ids}")
        return int.from_bytes(self._row(self._id_table, index, 4), "little")

    def _children(self, reference: int) -> Iterator[tuple[bytes, int]]:
        raw = self._metadata(self._inodes, reference, 32)
        if struct.unpack_from("<H", raw)[0] == 1:
            start, _, size, offset = struct.unpack_from("<IIHH", raw, 16)
        else:
            raw = self._metadata(self._inodes, reference, 40)
            _, size, start, _, _, offset = struct.unpack_from("<IIIIHH", raw, 16)
        if size > min(self._blob.size_bytes * 1024, _MAX_DIRECTORY_BYTES):
            raise _bad("directory size", self._inodes + (reference >> 16), f"{size} bytes")
        listing = self._metadata(self._directories, start << 16 | offset, max(0, size - 3))
        at = 0
        while at + 12 <= len(listing):
            count, block, _ = struct.unpack_from("<III", listing, at)
            at += 12
            for _ in range(min(count, 256) + 1):
                if at + 8 > len(listing):
                    raise _bad("directory", self._directories, "ends within an entry")
                place, _, _, name_bytes = struct.unpack_from("<HhHH", listing, at)
                yield listing[at + 8 : at + 9 + name_bytes], block << 16 | place
                at += 9 + name_bytes

    def _xattrs(self, index: int) -> tuple[tuple[str, bytes], ...]:
        if self._xattr_table == _NO_TABLE:
            return ()
        table, count = struct.unpack("<QI", self._blob.read(self._xattr_table, 12).ljust(12, b"\0"))
        if index >= count:
            raise _bad("extended attributes", self._xattr_table, f"number {index} of {count}")
        reference, rows, size = struct.unpack("<QII", self._row(self._xattr_table + 16, index, 16))
        if rows > _MAX_XATTRS or size > _MAX_XATTRS * MAX_XATTR_BYTES:
            raise _bad("extended attributes", self._xattr_table, f"{rows} of them, with {size} bytes")
        return tuple(sorted(self._xattr_rows(table, self._metadata_from(table, reference), rows)))

    def _metadata_from(self, table: int, reference: int) -> Iterator[int]:
        """Byte by byte: how many there are is only known underway."""
        start, skip = table + (reference >> 16), reference & 0xFFFF
        while True:
            block, start = self._meta(start)
            yield from block[skip:]
            skip = 0

    def _xattr_rows(self, table: int, stream: Iterator[int], rows: int) -> Iterator[tuple[str, bytes]]:
        for _ in range(rows):
            kind, name_bytes = struct.unpack("<HH", _taken(stream, 4))
            name = _taken(stream, min(name_bytes, 255)).decode("utf-8", "surrogateescape")
            value = _taken(stream, _limited(_taken(stream, 4)))
            if kind & 0x100:  # the value is elsewhere, and this is its reference
                other = self._metadata_from(table, int.from_bytes(value[:8], "little"))
                value = _taken(other, _limited(_taken(other, 4)))
            prefix = _PREFIXES[kind & 0xFF] if kind & 0xFF < len(_PREFIXES) else f"{kind & 0xFF}."
            yield prefix + name, value


def _taken(stream: Iterator[int], size_bytes: int) -> bytes:
    return bytes(next(stream) for _ in range(size_bytes))


def _limited(raw: bytes) -> int:
    size = int.from_bytes(raw, "little")
    if size > MAX_XATTR_BYTES:
        raise _bad("extended attribute", 0, f"a value of {size} bytes is too large")
    return size


def _bad(field: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError(_WHAT, field=field, offset=offset, problem=problem)
