"""FAT12, FAT16 and FAT32 file systems, read as UEFI firmware reads them, to find a file by its path.

Sources: Microsoft "FAT: General Overview of On-Disk Format" 1.03 (fatgen103), and the firmware's reader, edk2
FatPkg/EnhancedFatDxe (Init.c, FileSpace.c, DirectoryManage.c, FileName.c). Where fatgen103 and the firmware leave room,
the stricter reading is taken: a file system on which two readers could disagree is refused. Only the first FAT counts,
as for the firmware. Nothing but the boot sector, that FAT and the asked-for directories is read.
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, BinaryIO

from teekit_verify.artifacts.fat_directory import ENTRY_BYTES, FatEntry, parse_entries
from teekit_verify.artifacts.pe import Span
from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOOT_SECTOR_BYTES = 512
_SECTOR_SIZES = (512, 1024, 2048, 4096)
_MAX_CLUSTER_SECTORS = 128
_MAX_TABLE_BYTES = 32 << 20
"""8 Mi clusters of FAT32: 32 GiB in clusters of 4 KiB."""
_MAX_DIRECTORY_BYTES = 2 << 20
"""fatgen103: a directory has at most 65,536 entries of 32 bytes."""
_FIRST_CLUSTER = 2
_MAX_DEPTH = 16
_MAX_ENTRIES = 100_000


class FatKind(Enum):
    """The value is the size of a FAT entry in bits."""

    FAT12 = 12
    FAT16 = 16
    FAT32 = 32


def may_be_fat(sector: bytes) -> bool:
    """Whether firmware may mount it: edk2 FatPkg/EnhancedFatDxe/Init.c looks at neither the jump nor the name of the file system."""
    sector_bytes, cluster_sectors, reserved, fats = (
        int.from_bytes(sector[start:stop], "little") for start, stop in ((11, 13), (13, 14), (14, 16), (16, 17))
    )
    return sector_bytes in _SECTOR_SIZES and cluster_sectors.bit_count() == 1 and reserved > 0 and fats > 0


@frozen
class FatVolume:
    """A mounted volume. Offsets in bytes from the start of `stream`; clusters count from 2, `last_cluster` is inclusive."""

    stream: BinaryIO
    kind: FatKind
    start: int
    cluster_bytes: int
    last_cluster: int
    table: memoryview
    """The first FAT."""
    root: Span | int
    """The fixed root directory (FAT12, FAT16), or its first cluster (FAT32)."""
    data_offset: int
    _listed: dict[int, tuple[FatEntry, ...]] = field(default_factory=dict, repr=False, compare=False)
    """Directories that were read, by first cluster (-1: the root): going back may be slow for the stream."""

    def entries(self, directory: FatEntry | None = None) -> tuple[FatEntry, ...]:
        """What is in a directory (None: the root), without `.`, `..` and the volume label. Raises MalformedInputError."""
        key = -1 if directory is None else directory.first_cluster
        if key not in self._listed:
            if sum(map(len, self._listed.values())) > _MAX_ENTRIES:
                raise UnsupportedInputError(f"FAT: more than {_MAX_ENTRIES} files, too many for a boot disk")
            self._listed[key] = self._read_entries(directory)
        return self._listed[key]

    def _read_entries(self, directory: FatEntry | None) -> tuple[FatEntry, ...]:
        if directory is None and isinstance(self.root, Span):
            extents: tuple[Span, ...] = (self.root,)
        elif directory is None:
            assert isinstance(self.root, int)  # noqa: S101 - the other kind of root is above
            extents = self._chain(self.root, None, "root directory", self.start)
        else:
            extents = self._chain(directory.first_cluster, None, f"directory {directory.name}", directory.offset)
        return tuple(parse_entries(_rows(self.stream, extents)))

    def find(self, path: tuple[str, ...]) -> FatEntry | None:
        """The entry at a path such as ("EFI", "BOOT"), or None. Raises MalformedInputError if two entries have the name."""
        found: FatEntry | None = None
        for depth, name in enumerate(path):
            if found is not None and not found.is_directory:
                return None
            matches = [entry for entry in self.entries(found) if entry.is_called(name)]
            if len(matches) > 1:
                raise _bad("directory entry", matches[1].offset, f"a second entry called {'/'.join(path[: depth + 1])}")
            if not matches:
                return None
            found = matches[0]
        return found

    def walk(self, limit: int) -> Iterator[tuple[str, FatEntry]]:
        """Everything in the volume with its path ("EFI/BOOT/BOOTX64.EFI"), folders before their content.

        At most `limit` entries, and 16 folders deep: a hostile folder may contain itself.
        """
        waiting: list[tuple[str, FatEntry]] = [(entry.name, entry) for entry in self.entries()[:limit]][::-1]
        for _ in range(limit):
            if not waiting:
                return
            path, entry = waiting.pop()
            yield path, entry
            if entry.is_directory and path.count("/") < _MAX_DEPTH:
                waiting += [(f"{path}/{inner.name}", inner) for inner in self.entries(entry)[:limit]][::-1]

    def extents(self, file: FatEntry) -> tuple[Span, ...]:
        """Where the file's bytes are in the stream, in file order, neighbours joined; the last one ends with the file."""
        if not file.size_bytes:
            return ()
        whole = self._chain(file.first_cluster, file.size_bytes, f"file {file.name}", file.offset)
        excess = sum(span.size_bytes for span in whole) - file.size_bytes
        return (*whole[:-1], Span(whole[-1].start, whole[-1].stop - excess))

    def _chain(self, cluster: int, size_bytes: int | None, what: str, offset: int) -> tuple[Span, ...]:
        """The clusters of a file of that size, or of a directory (None: to the end of the chain)."""
        clusters = self.last_cluster - _FIRST_CLUSTER + 1
        if size_bytes is None:
            limit = min(max(1, _MAX_DIRECTORY_BYTES // self.cluster_bytes), clusters)
        else:
            limit = -(-size_bytes // self.cluster_bytes)
        if limit > clusters:
            raise _bad(f"{printable(what)} size", offset, f"{size_bytes} bytes are more than the file system has")
        seen: dict[int, None] = {}
        while size_bytes is None or len(seen) < limit:
            if size_bytes is None and seen and cluster >= self._end_of_chain:
                break
            if not _FIRST_CLUSTER <= cluster <= self.last_cluster:
                problem = (
                    f"{cluster:#x} is not a cluster (2 to {self.last_cluster:#x}), after {len(seen)} of its clusters"
                )
                raise _bad(f"{printable(what)} cluster chain", offset, problem)
            if cluster in seen:
                raise _bad(f"{printable(what)} cluster chain", offset, f"loops back to cluster {cluster:#x}")
            if len(seen) == limit:
                raise _bad(f"{printable(what)} cluster chain", offset, f"a directory has at most {limit} clusters here")
            seen[cluster] = None
            cluster = self._next(cluster)
        return tuple(self._joined(seen))

    @property
    def _end_of_chain(self) -> int:
        """fatgen103: 0xFF8, 0xFFF8, 0x0FFFFFF8 and above; the upper 4 bits of a FAT32 entry are reserved."""
        return (1 << min(self.kind.value, 28)) - 8

    def _next(self, cluster: int) -> int:
        if self.kind is FatKind.FAT12:
            start = cluster + cluster // 2
            pair = int.from_bytes(self.table[start : start + 2], "little")
            return pair >> 4 if cluster % 2 else pair & 0xFFF
        width = self.kind.value // 8
        value = int.from_bytes(self.table[cluster * width : (cluster + 1) * width], "little")
        return value & 0x0FFFFFFF if self.kind is FatKind.FAT32 else value

    def _joined(self, clusters: dict[int, None]) -> Iterator[Span]:
        start = stop = -1
        for cluster in clusters:
            offset = self.data_offset + (cluster - _FIRST_CLUSTER) * self.cluster_bytes
            if offset != stop:
                if stop >= 0:
                    yield Span(start, stop)
                start = offset
            stop = offset + self.cluster_bytes
        yield Span(start, stop)


def open_fat(stream: BinaryIO, start: int, size_bytes: int) -> FatVolume:
    """Mount the volume in `size_bytes` bytes from `start`. Raises MalformedInputError, or UnsupportedInputError.

    The boot sector is read as edk2 FatPkg/EnhancedFatDxe/Init.c, FatOpenDevice() does; it also decides the kind as
    fatgen103 asks: by the count of clusters, and FAT32 by its 16-bit FAT size of 0.
    """
    sector = _read(stream, start, _BOOT_SECTOR_BYTES, "boot sector")
    reader = Reader(memoryview(sector), "FAT", base=start, position=11)
    sector_bytes, cluster_sectors, reserved, fats, root_entries, small_total, media, small_fat = reader.unpack(
        "HBHBHHBH", "boot sector"
    )
    large_total, large_fat, flags, version, root_cluster = Reader(
        memoryview(sector), "FAT", base=start, position=32
    ).unpack("IIHHI", "boot sector")
    total, is_fat32 = small_total or large_total, small_fat == 0
    fat_sectors = large_fat if is_fat32 else small_fat
    _require(
        start,
        (sector_bytes in _SECTOR_SIZES, "sector size", 11, sector_bytes),
        (
            0 < cluster_sectors <= _MAX_CLUSTER_SECTORS and cluster_sectors.bit_count() == 1,
            "cluster size",
            13,
            cluster_sectors,
        ),
        (reserved > 0, "reserved sectors", 14, reserved),
        (fats > 0, "number of FATs", 16, fats),
        (media in {0xF0, 0x00, 0x01} or media > 0xF7, "media type", 21, media),  # noqa: PLR2004 - edk2 Init.c
        (fat_sectors > 0, "FAT size", 36 if is_fat32 else 22, fat_sectors),
        (is_fat32 or root_entries > 0, "root directory entries", 17, root_entries),
        (0 < total * sector_bytes <= size_bytes, "total sectors", 19 if small_total else 32, total),
        (not is_fat32 or version == 0, "file system version", 42, version),
        (not is_fat32 or not flags & 0x80, "mirroring flags", 40, flags),
    )
    root_sectors = 0 if is_fat32 else -(-root_entries * ENTRY_BYTES // sector_bytes)
    root_sector = reserved + fats * fat_sectors
    clusters = (total - root_sector - root_sectors) // cluster_sectors
    kind = _kind(clusters, start, is_fat32=is_fat32)
    table_bytes = -(-(clusters + _FIRST_CLUSTER) * kind.value // 8)
    if table_bytes > fat_sectors * sector_bytes:
        raise _bad(
            "FAT size", start + (36 if is_fat32 else 22), f"{fat_sectors} sectors do not hold {clusters} clusters"
        )
    if table_bytes > _MAX_TABLE_BYTES:
        raise UnsupportedInputError(f"FAT: a table of {table_bytes} bytes, at most {_MAX_TABLE_BYTES} are read")
    root_offset = start + root_sector * sector_bytes
    return FatVolume(
        stream=stream,
        kind=kind,
        start=start,
        cluster_bytes=cluster_sectors * sector_bytes,
        last_cluster=clusters + 1,
        table=memoryview(_read(stream, start + reserved * sector_bytes, table_bytes, "FAT")),
        root=root_cluster if is_fat32 else Span(root_offset, root_offset + root_entries * ENTRY_BYTES),
        data_offset=root_offset + root_sectors * sector_bytes,
    )


def _require(start: int, *rules: tuple[bool, str, int, int]) -> None:
    for holds, name, offset, value in rules:
        if not holds:
            raise _bad(name, start + offset, f"{value:#x} is not what a FAT file system has there")


def _kind(clusters: int, start: int, *, is_fat32: bool) -> FatKind:
    """fatgen103, "FAT Type Determination"; edk2 refuses a FAT32 with fewer clusters than 65,525 and a FAT16 with more."""
    if clusters <= 0 or is_fat32 != (clusters >= 65525):  # noqa: PLR2004
        raise _bad(
            "cluster count", start, f"{clusters} clusters do not fit a {'FAT32' if is_fat32 else 'FAT12 or FAT16'}"
        )
    if is_fat32:
        return FatKind.FAT32
    return FatKind.FAT12 if clusters < 4085 else FatKind.FAT16  # noqa: PLR2004


def _rows(stream: BinaryIO, extents: tuple[Span, ...]) -> Iterator[tuple[int, bytes]]:
    """The 32-byte rows of a directory, read in stream order: a stream may be quick in that direction only."""
    pieces = {span.start: _read(stream, span.start, span.size_bytes, "directory") for span in sorted(extents)}
    for span in extents:
        for place in range(0, span.size_bytes, ENTRY_BYTES):
            yield span.start + place, pieces[span.start][place : place + ENTRY_BYTES]


def _read(stream: BinaryIO, offset: int, size_bytes: int, what: str) -> bytes:
    stream.seek(offset)
    data = stream.read(size_bytes)
    if len(data) != size_bytes:
        raise _bad(what, offset, f"needs {size_bytes} bytes, {len(data)} are left")
    return data


def _bad(name: str, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError("FAT", field=name, offset=offset, problem=problem)
