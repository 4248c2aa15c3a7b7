"""Disks as they are found anywhere: in an archive, without an EFI system partition, with an MBR, in sectors of 4 KiB.

Each partition is compared as what it holds; bare FAT file systems are, too.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.fat import open_fat
from teekit_verify.artifacts.fields import Field, field_of
from teekit_verify.artifacts.magic import VHD_COOKIE, VHD_FOOTER_BYTES, is_mbr, sector_bytes
from teekit_verify.artifacts.partitions import PartitionTable, read_partitions
from teekit_verify.artifacts.vhd import parse_footer
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.explanation import raw
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats import fat
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.artifacts.fat import FatVolume
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.formats.fat import Found
    from teekit_verify.explanation.pair import Pair

_BOOT_CODE_BYTES = 440
_VHD_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


_FOREIGN = (
    (64, b"\x7f\x10\xda\xbe", "VDI disks are not supported, convert them with `qemu-img convert -O raw`"),
    (3, b"EXFAT   ", "exFAT is not supported"),
    (3, b"NTFS    ", "NTFS is not supported"),
    (3, b"-FVE-FS-", "BitLocker volumes are encrypted"),
    (0x400, b"\x10\x20\xf5\xf2", "F2FS is not supported"),
    (0x8001, b"BEA01", "UDF is not supported"),
    (0x218, b"LVM2 001", "LVM2 is not supported, compare the logical volumes"),
    (0, b"\xed\xab\xee\xdb", "RPM packages are not supported, convert them with `rpm2archive`"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z archives are not supported, compare what they unpack to"),
    (0, b"\x3a\xff\x26\xed", "sparse images of Android are not supported, convert them with `simg2img`"),
)
"""Offset, magic number, and why it is not compared. Sources: Microsoft "exFAT file system specification", 3.1.2; libblkid, superblocks/
(ntfs.c, bitlocker.c, f2fs.c, udf.c, lvm.c); rpm, RPM file format, "Lead"; 7-Zip, 7zFormat.txt; AOSP libsparse, sparse_format.h.
"""
_FOREIGN_BYTES = max(at + len(magic) for at, magic, _ in _FOREIGN)


def _foreign(beginning: bytes) -> str:
    return next((why for at, magic, why in _FOREIGN if beginning.startswith(magic, at)), "")


def is_foreign(beginning: bytes) -> bool:
    return bool(_foreign(beginning))


def refuse_foreign(_: Examination, pair: Pair) -> Difference | None:
    """Always raises UnsupportedInputError, whose sentence becomes the note."""
    beginnings = (blob.read(0, _FOREIGN_BYTES) for blob in (pair.a, pair.b))
    raise UnsupportedInputError(", and ".join(dict.fromkeys(map(_foreign, beginnings))))


def is_partitioned(beginning: bytes) -> bool:
    return sector_bytes(beginning) is not None or is_mbr(beginning)


def compare_partitioned(examination: Examination, pair: Pair) -> Difference | None:
    """None if nothing differs that is told here. Raises TeekitError for a table that is damaged."""
    facts = [_footer(blob) for blob in (pair.a, pair.b)]
    sides = [_without_footer(blob) for blob in (pair.a, pair.b)]
    one, other = (read_partitions(blob) for blob in sides)
    children = [*_changed(pair, *facts), *_changed(pair, one.facts, other.facts)]
    for left, right in zip_longest(one.partitions, other.partitions):
        number = (left or right).number
        rows = [row.facts if row else {"partition": "none"} for row in (left, right)]
        children += _changed(pair, *rows, of=f" of partition {number}")
        if left and right:
            parts = (part.part(row.start, row.size_bytes) for part, row in zip(sides, (left, right), strict=True))
            inner = pair.inner(f"partition {number}", *parts)
            if first_difference(inner.a, inner.b) is not None:
                children.append(examination.compare(inner))
    has_equal_table = not children
    children += _gaps(examination, replace_blobs(pair, sides), one, other, with_tables=has_equal_table)
    if not children:
        return None
    kinds = one.kind if one.kind == other.kind else f"{one.kind} and {other.kind}"
    return Difference(pair.name, Kind.CONTENT, f"disk with {kinds}", *pair.sizes, children=tuple(children))


def replace_blobs(pair: Pair, sides: list[Blob]) -> Pair:
    return replace(pair, a=sides[0], b=sides[1])


def _has_footer(blob: Blob) -> bool:
    return blob.read(blob.size_bytes - VHD_FOOTER_BYTES, len(VHD_COOKIE)) == VHD_COOKIE


def _without_footer(blob: Blob) -> Blob:
    return blob.part(0, blob.size_bytes - VHD_FOOTER_BYTES) if _has_footer(blob) else blob


def _footer(blob: Blob) -> dict[str, str]:
    if not _has_footer(blob):
        return {}
    footer = parse_footer(blob.read(blob.size_bytes - VHD_FOOTER_BYTES, VHD_FOOTER_BYTES), blob.size_bytes)
    moment = _VHD_EPOCH + timedelta(seconds=footer.timestamp)
    return {
        Field.VHD_TIME: f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        Field.VHD_ID: str(footer.unique_id),
        "VHD creator": footer.creator,
        "VHD geometry": f"{footer.geometry.cylinders}/{footer.geometry.heads}/{footer.geometry.sectors}",
    }


def _changed(pair: Pair, one: dict[str, str], other: dict[str, str], *, of: str = "") -> Iterator[Difference]:
    for name in dict.fromkeys([*one, *other]):
        a, b = one.get(name, ""), other.get(name, "")
        if a != b:
            causes = causes_of([Sighting((*pair.path, name), where=field_of(name), a=a, b=b)])
            yield Difference(f"{name}{of}", Kind.METADATA, "differs", a, b, causes)


def _gaps(
    examination: Examination, pair: Pair, one: PartitionTable, other: PartitionTable, *, with_tables: bool
) -> Iterator[Difference]:
    """What lies outside of partitions; the tables themselves only if nothing that they say differs."""
    size = max(pair.a.size_bytes, pair.b.size_bytes)
    places = [("boot code", 0, _BOOT_CODE_BYTES)]
    if with_tables:
        places.append(("partition table", _BOOT_CODE_BYTES, one.head_bytes))
    at = max(one.head_bytes, other.head_bytes)
    for number, start, stop in sorted((row.number, row.start, row.start + row.size_bytes) for row in one.partitions):
        places.append((f"space before partition {number}", at, start))
        at = max(at, stop)
    end = size - max(one.tail_bytes, other.tail_bytes)
    places.append(("space after the partitions", at, end))
    if with_tables:
        places.append(("backup of the partition table", max(at, end), size))
    for name, start, stop in places:
        inner = pair.inner(name, *(blob.part(start, max(0, stop - start)) for blob in (pair.a, pair.b)))
        if first_difference(inner.a, inner.b) is not None:
            yield raw.compare_bytes(inner, examination.conditions)


def compare_fats(examination: Examination, pair: Pair) -> Difference | None:
    """Raises TeekitError for a damaged file system."""
    volumes = [open_fat(blob.stream(), 0, blob.size_bytes) for blob in (pair.a, pair.b)]
    files = [fat.found_files(volume) for volume in volumes]
    children = list(_changed(pair, *(fat.boot_sector(volume) for volume in volumes)))
    children += fat.compare_entries(pair, *files)
    children += _fat_contents(examination, pair, volumes, files)
    if not children:
        found = raw.compare_bytes(pair.inner("outside of the files", pair.a, pair.b), examination.conditions)
        children = [replace(found, what=f"every file is equal; allocation tables or free space, {found.what}")]
    return Difference(pair.name, Kind.CONTENT, "FAT file system", *pair.sizes, children=tuple(children))


def _fat_contents(
    examination: Examination, pair: Pair, volumes: list[FatVolume], files: list[dict[str, Found]]
) -> Iterator[Difference]:
    for path, found in files[0].items():
        partner = files[1].get(path)
        if partner is None or found.entry.is_directory or partner.entry.is_directory:
            continue
        blobs = [
            _fat_content(examination, blob, volume, row)
            for blob, volume, row in zip((pair.a, pair.b), volumes, (found, partner), strict=True)
        ]
        inner = pair.inner(path, *blobs)
        if first_difference(inner.a, inner.b) is not None:
            yield examination.compare(inner)


def _fat_content(examination: Examination, blob: Blob, volume: FatVolume, found: Found) -> Blob:
    """In place where it lies in one piece."""
    extents = volume.extents(found.entry)
    parts = [blob.part(extent.start, extent.size_bytes) for extent in extents]
    if len(parts) == 1:
        return parts[0]
    return examination.spool().keep(piece for part in parts for piece in part.pieces())
