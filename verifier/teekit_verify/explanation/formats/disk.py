"""Disk images: what wraps them (gzip, tar, VHD footer), the partition table, and the files of the EFI system partition.

A and B are each read once from front to back to digest what is on them, as an archive is quick in that direction only.
"""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING

from teekit_verify.artifacts.boot_artifact import open_disk, recognise
from teekit_verify.artifacts.compressed import Budget, Unpacked
from teekit_verify.artifacts.fields import Field, field_of
from teekit_verify.artifacts.gpt import SECTOR_BYTES
from teekit_verify.artifacts.magic import GOOGLE_MEMBER, GZIP_MAGIC, ArtifactKind
from teekit_verify.artifacts.pe import Span
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats import fat, outside
from teekit_verify.explanation.formats.compressed import gzip_header
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.artifacts.disk import DiskImage
    from teekit_verify.artifacts.gpt import GuidPartitionTable
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_CHUNK_BYTES = 1 << 18
_TAR_BYTES = 512
_TAR_FIELDS = (
    ("tar name", 0, 100),
    ("tar mode", 100, 8),
    (Field.TAR_OWNER, 108, 16),
    (Field.TAR_MTIME, 136, 12),
    ("tar user name", 265, 32),
    ("tar group name", 297, 32),
    ("tar format", 257, 8),
)
_KINDS = {ArtifactKind.RAW, ArtifactKind.VHD, ArtifactKind.TAR_GZ}
_VHD_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@frozen
class _Side:
    """An open disk, and the digests of the files of its ESP ("file", path) and of its other partitions."""

    disk: DiskImage
    files: dict[str, fat.Found]
    pieces: dict[str, tuple[Span, ...]]
    digests: dict[str, bytes]


def is_disk(beginning: bytes) -> bool:
    """A raw disk or VHD; or gzip, in which there may be one."""
    return beginning[SECTOR_BYTES:].startswith(b"EFI PART") or beginning.startswith(GZIP_MAGIC)


def compare_disks(examination: Examination, pair: Pair) -> Difference | None:
    """None if they are no whole files, or something else in gzip. Raises TeekitError for damaged disks."""
    paths = [examination.path_of(blob) for blob in (pair.a, pair.b)]
    if paths[0] is None or paths[1] is None or any(_other_gzip(blob) for blob in (pair.a, pair.b)):
        return None
    kinds = [recognise(path) for path in paths if path]
    if kinds[0] is not kinds[1] or kinds[0] not in _KINDS:
        return None
    children = _wrapping(pair) if kinds[0] is ArtifactKind.TAR_GZ else []
    try:
        children += _compared(examination, pair, [path for path in paths if path])
    except (MalformedInputError, UnsupportedInputError):
        return None  # no machine boots it: partitions.py tells what it holds
    if not children:
        return None
    return Difference(pair.name, Kind.CONTENT, kinds[0].value, *pair.sizes, children=tuple(children))


def _compared(examination: Examination, pair: Pair, paths: list[Path]) -> list[Difference]:
    with ExitStack() as stack:
        disks = [stack.enter_context(open_disk(path)) for path in paths]
        if any(disk.boot.sector_bytes != SECTOR_BYTES for disk in disks):
            raise UnsupportedInputError("a disk in large sectors, which partitions.py compares")
        with ThreadPoolExecutor(2) as pool:
            one, other = pool.map(_read, disks)
        children = [*_fields(pair, one.disk, other.disk), *fat.compare_entries(pair, one.files, other.files)]
        children += _contents(examination, pair, one, other)
        return children or list(outside.compare_outside(examination, pair, one.disk, other.disk))


def _other_gzip(blob: Blob) -> bool:
    return blob.read(0, 2) == GZIP_MAGIC and not _tar_header(blob).startswith(GOOGLE_MEMBER.encode() + b"\0")


def _tar_header(blob: Blob) -> bytes:
    return io.BufferedReader(Unpacked(blob, Budget(1 << 20), "archive"), _TAR_BYTES).read(_TAR_BYTES)


def _wrapping(pair: Pair) -> list[Difference]:
    headers = [_tar_header(blob) for blob in (pair.a, pair.b)]
    facts = [{name: _tar_value(name, header[at : at + size]) for name, at, size in _TAR_FIELDS} for header in headers]
    return [*gzip_header(pair), *_changed(pair, facts[0], facts[1])]


def _tar_value(name: str, raw: bytes) -> str:
    text = raw.decode("latin-1").replace("\0", " ").strip()
    if name is Field.TAR_MTIME and text and not text.strip("01234567"):
        return _time(datetime.fromtimestamp(int(text, 8), UTC))
    return text


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _fields(pair: Pair, one: DiskImage, other: DiskImage) -> Iterator[Difference]:
    """VHD footer, partition table and boot sector, field by field."""
    yield from _changed(pair, _footer(one), _footer(other))
    yield from _changed(pair, _table(one), _table(other))
    for number, rows in enumerate(zip_longest(_gpt(one).entries, _gpt(other).entries), start=1):
        facts = [
            {
                Field.PARTITION_TYPE: str(row.type_guid),
                Field.PARTITION_GUID: str(row.unique_guid),
                "partition place": f"LBA {row.first_lba} to {row.last_lba}",
                "partition attributes": f"{row.attributes:#x}",
                "partition name": row.name,
            }
            if row
            else {"partition": ""}
            for row in rows
        ]
        yield from _changed(pair, facts[0], facts[1], of=f" of partition {number}")
    yield from _changed(pair, fat.boot_sector(one.volume), fat.boot_sector(other.volume))


def _gpt(disk: DiskImage) -> GuidPartitionTable:
    """Raises UnsupportedInputError for a disk without one, which partitions.py compares."""
    if disk.boot.gpt is None:
        raise UnsupportedInputError("a disk without a GPT")
    return disk.boot.gpt


def _footer(disk: DiskImage) -> dict[str, str]:
    footer = disk.footer
    if footer is None:
        return {}
    return {
        Field.VHD_TIME: _time(_VHD_EPOCH + timedelta(seconds=footer.timestamp)),
        Field.VHD_ID: str(footer.unique_id),
        "VHD creator": footer.creator,
        "VHD geometry": f"{footer.geometry.cylinders}/{footer.geometry.heads}/{footer.geometry.sectors}",
    }


def _table(disk: DiskImage) -> dict[str, str]:
    return {
        "disk size": f"{disk.size_bytes} bytes",
        Field.DISK_GUID: str(_gpt(disk).disk_guid),
        "usable sectors": f"LBA {_gpt(disk).first_usable_lba} to {_gpt(disk).last_usable_lba}",
        "number of partitions": str(len(_gpt(disk).entries)),
    }


def _changed(pair: Pair, one: dict[str, str], other: dict[str, str], *, of: str = "") -> Iterator[Difference]:
    for name in dict.fromkeys([*one, *other]):
        a, b = one.get(name, ""), other.get(name, "")
        if a != b:
            causes = causes_of([Sighting((*pair.path, name), where=field_of(name), a=a, b=b)])
            yield Difference(f"{name}{of}", Kind.METADATA, "differs", a, b, causes)


def _read(disk: DiskImage) -> _Side:
    files = fat.found_files(disk.volume)
    pieces = {path: disk.volume.extents(file.entry) for path, file in files.items() if not file.entry.is_directory}
    for number, entry in enumerate(_gpt(disk).entries, start=1):
        if entry != disk.boot.esp:
            start = entry.first_lba * SECTOR_BYTES
            pieces[f"partition {number}"] = (Span(start, (entry.last_lba + 1) * SECTOR_BYTES),)
    digests = {}
    for name, extents in sorted(pieces.items(), key=lambda item: item[1][:1]):
        state = hashlib.sha256()
        for piece in _bytes(disk, extents):
            state.update(piece)
        digests[name] = state.digest()
    return _Side(disk, files, pieces, digests)


def _bytes(disk: DiskImage, extents: Iterable[Span]) -> Iterator[bytes]:
    for extent in extents:
        disk.stream.seek(extent.start)
        left = extent.size_bytes
        while left:
            piece = disk.stream.read(min(left, _CHUNK_BYTES))
            if not piece:
                raise TeekitError(f"the disk ends before offset {extent.stop:#x}")
            left -= len(piece)
            yield piece


def _contents(examination: Examination, pair: Pair, one: _Side, other: _Side) -> Iterator[Difference]:
    changed = [name for name, digest in one.digests.items() if other.digests.get(name, digest) != digest]
    kept: Sequence[dict[str, Blob]] = [
        {name: _kept(examination, side.disk, side.pieces[name], blob) for name in changed}
        for side, blob in ((one, pair.a), (other, pair.b))
    ]
    for name in changed:
        yield examination.compare(pair.inner(name, kept[0][name], kept[1][name]))


def _kept(examination: Examination, disk: DiskImage, extents: tuple[Span, ...], blob: Blob) -> Blob:
    """In place where it lies in one piece in the file."""
    if disk.in_file and len(extents) == 1:
        return blob.part(extents[0].start, extents[0].size_bytes)
    return examination.spool().keep(_bytes(disk, extents))
