"""File systems: the times and IDs in their superblocks, their files where they can be read, and what differs besides.

Sources: Linux fs/squashfs/squashfs_fs.h, fs/ext4/ext4.h, fs/erofs/erofs_fs.h, fs/xfs/libxfs/xfs_format.h,
include/uapi/linux/btrfs_tree.h; ECMA-119, 8.1.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.artifacts.btrfs import Btrfs
from teekit_verify.artifacts.erofs import Erofs
from teekit_verify.artifacts.extfs import ExtFs
from teekit_verify.artifacts.fields import Field, field_of
from teekit_verify.artifacts.iso9660 import Iso9660
from teekit_verify.artifacts.squashfs import Squashfs
from teekit_verify.artifacts.xfs import Xfs
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.core.frozen import frozen
from teekit_verify.explanation import raw
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.known import TIME
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats.filesystem import compare_trees
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.artifacts.filetree import TreeFile
    from teekit_verify.artifacts.iso9660 import BootImage
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_Ids = tuple[str, bytes, bytes]
"""A name, and what A and B have."""
_ID_BYTES = 16
_PIECE_BYTES = 1 << 18
_METHOD = "compression"
_METHODS = {1: "gzip", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}
_SUM = "checksum of the superblock"
_MOST_SUM_BYTES, _MOST_SUMS, _BLOCK_BYTES = 4, 1_000_000, 4096
_ISO_MAGIC, _ISO_AT = b"CD001", 0x8001
BEGINNING_BYTES = 0x10048
"""As far as the last magic number reaches."""


@frozen
class _FileSystem:
    """`fields`: name, offset, size in bytes; 16 bytes are an ID, fewer a time in seconds since 1970.

    `files` reads the tree.
    """

    name: str
    magic: bytes
    magic_offset: int
    fields: tuple[tuple[str, int, int], ...]
    files: Callable[[Blob], Iterator[TreeFile]]
    labels: tuple[tuple[str, int, int], ...] = ()
    """Texts in the superblock, as `fields`."""
    numbers: tuple[tuple[str, int, int], ...] = ()
    """What says how the file system is laid out, as `fields`, little-endian."""
    facts: Callable[[Examination, Pair], list[Difference]] | None = None
    packed_size: tuple[int, int] | None = None
    """Of one whose files are packed: where it says how much it takes."""
    ids: Callable[[Blob], dict[str, bytes]] | None = None
    """UUIDs that are not in the superblock."""
    sums: tuple[tuple[str, int, int], ...] = ()
    """Checksums over the superblock, as `fields`: they follow from whatever else differs in it."""

    @property
    def all_fields(self) -> tuple[tuple[str, int, int], ...]:
        return tuple(sorted((*self.fields, *self.labels, *self.numbers, *self.sums), key=lambda row: row[1]))


def _ext_files(blob: Blob) -> Iterator[TreeFile]:
    """Raises UnsupportedInputError for one that was not unmounted: its journal is not replayed, and holds newer files."""
    found = ExtFs(blob)
    if found.needs_recovery:
        raise UnsupportedInputError("its journal has to be replayed first (e2fsck -p on a copy)")
    return found.files()


def _iso_facts(examination: Examination, pair: Pair) -> list[Difference]:
    """The volume descriptor, and what the machine boots by El Torito."""
    one, other = (Iso9660(blob) for blob in (pair.a, pair.b))
    found = []
    for name, a in one.facts().items():
        if a != (b := other.facts()[name]):
            causes = causes_of([Sighting((*pair.path, name), where=field_of(name), a=a, b=b)])
            found.append(Difference(str(name), Kind.METADATA, "the volume descriptors differ", a, b, causes))
    images = one.boot_images(), other.boot_images()
    for number, sides in enumerate(zip_longest(*images), start=1):
        name = f"boot image {number} (El Torito)"
        told = _boot_image(sides[0]), _boot_image(sides[1])
        if told[0] != told[1]:
            found.append(Difference(str(name), Kind.METADATA, "the catalogs differ", *told))
        elif sides[0] and sides[1] and first_difference(sides[0].content, sides[1].content) is not None:
            found.append(examination.compare(pair.inner(name, sides[0].content, sides[1].content)))
    return found


def _boot_image(image: BootImage | None) -> str:
    if image is None:
        return "none"
    bootable = "bootable" if image.is_bootable else "not bootable"
    return f"platform {image.platform:#x}, {bootable}, media {image.media:#x}, {image.content.size_bytes} bytes"


_KNOWN = (
    _FileSystem(
        *("squashfs", b"hsqs", 0, (("time of making", 8, 4),), lambda blob: Squashfs(blob).files()),
        numbers=(("size of a block", 12, 4), (_METHOD, 20, 2)),
        packed_size=(40, 8),
    ),
    _FileSystem(
        "ext4",
        b"\x53\xef",
        0x438,
        (
            ("time of mounting", 0x42C, 4),
            ("time of writing", 0x430, 4),
            ("time of checking", 0x440, 4),
            ("UUID", 0x468, _ID_BYTES),
            ("hash seed", 0x4EC, _ID_BYTES),
            ("time of making", 0x508, 4),
        ),
        _ext_files,
        labels=(("label", 0x478, 16), ("place of the last mount", 0x488, 64)),
        numbers=(
            ("number of inodes", 0x400, 4),
            ("number of blocks", 0x404, 4),
            ("blocks for the superuser", 0x408, 4),
            ("size of a block (log2 - 10)", 0x418, 4),
            ("compatible features", 0x45C, 4),
            ("incompatible features", 0x460, 4),
            ("features that only reading is compatible with", 0x464, 4),
        ),
        sums=((_SUM, 0x7FC, 4),),
    ),
    _FileSystem(
        *("erofs", b"\xe2\xe1\xf5\xe0", 1024),
        (("time of making", 1024 + 24, 8), ("UUID", 1024 + 48, _ID_BYTES)),
        lambda blob: Erofs(blob).files(),
        labels=(("label", 1024 + 64, 16),),
        numbers=(("incompatible features", 1024 + 80, 4),),
        packed_size=(1024 + 36, 4),
        sums=((_SUM, 1024 + 4, 4),),
    ),
    _FileSystem(
        *(
            "xfs",
            b"XFSB",
            0,
            (("UUID", 32, _ID_BYTES), ("UUID of the metadata", 248, _ID_BYTES)),
            lambda blob: Xfs(blob).files(),
        ),
        labels=(("label", 108, 12),),
        sums=((_SUM, 224, 4),),
    ),
    _FileSystem(
        *("btrfs", b"_BHRfS_M", 0x10040),
        (
            ("UUID", 0x10020, _ID_BYTES),
            ("UUID of the device", 0x1010B, _ID_BYTES),
            ("UUID of the metadata", 0x1023B, _ID_BYTES),
        ),
        lambda blob: Btrfs(blob).files(),
        labels=(("label", 0x1012B, 256),),
        ids=lambda blob: Btrfs(blob).ids(),
        sums=((_SUM, 0x10000, 32),),
    ),
    _FileSystem(*("ISO 9660", _ISO_MAGIC, _ISO_AT, ()), lambda blob: Iso9660(blob).files(), facts=_iso_facts),
)


def is_file_system(beginning: bytes) -> bool:
    return _known(beginning) is not None


def is_iso(beginning: bytes) -> bool:
    """Also a hybrid, which has a partition table as well: its partitions are of the same files."""
    return beginning[_ISO_AT:].startswith(_ISO_MAGIC)


def _known(beginning: bytes) -> _FileSystem | None:
    return next((row for row in _KNOWN if beginning[row.magic_offset :].startswith(row.magic)), None)


def compare_file_systems(examination: Examination, pair: Pair) -> Difference | None:
    """None if they are of two kinds."""
    kinds = [_known(blob.read(0, BEGINNING_BYTES)) for blob in (pair.a, pair.b)]
    if kinds[0] is None or kinds[0] is not kinds[1]:
        return None
    children = [*_fields(pair, kinds[0]), *_settings(pair, kinds[0])]
    children += _facts(examination, pair, kinds[0])
    ids = _ids(pair, kinds[0])
    children += _changed_ids(pair, kinds[0], ids)
    files, reason = _files(examination, pair, kinds[0])
    children += files
    if not files and any(first_difference(*part) is not None for part in _between(pair, kinds[0])):
        children.append(_rest(examination, pair, kinds[0], ids, reason, is_alone=not children))
    children = children or list(_changed_sums(pair, kinds[0]))
    what = f"{kinds[0].name} file system"
    return Difference(pair.name, Kind.CONTENT, what, *pair.sizes, children=tuple(children)) if children else None


def _facts(examination: Examination, pair: Pair, kind: _FileSystem) -> list[Difference]:
    try:
        return [] if kind.facts is None else kind.facts(examination, pair)
    except TeekitError as error:
        examination.note(f"{error.message}: {' > '.join(pair.path)} is not examined further")
        return []


def _files(examination: Examination, pair: Pair, kind: _FileSystem) -> tuple[list[Difference], str]:
    """What differs in them; if they cannot be read nothing, why that is, and a note."""
    try:
        return compare_trees(examination, pair, (kind.files(pair.a), kind.files(pair.b))), ""
    except TeekitError as error:
        examination.note(f"{error.message}: {' > '.join(pair.path)} is compared byte by byte")
        sides = [name for name, blob in (("A", pair.a), ("B", pair.b)) if not _has_whole_tree(kind, blob)]
        return [], f"{' and '.join(sides) or 'one of them'} cannot be read: {error.message}"


def _has_whole_tree(kind: _FileSystem, blob: Blob) -> bool:
    try:
        for _ in kind.files(blob):
            pass
    except TeekitError:
        return False
    return True


def _rest(
    examination: Examination, pair: Pair, kind: _FileSystem, ids: list[_Ids], reason: str, *, is_alone: bool
) -> Difference:
    """What no file shows: the layout, free space, a journal. Unless `is_alone`, it may follow from what was told: checksums, copies.

    `ids` are those that differ; `reason` says why the files could not be read, if that is so.
    """
    name = "content" if reason else "outside of the files"
    found = raw.compare_bytes(
        pair.inner(name, pair.a, pair.b), examination.conditions, is_code=kind.packed_size is not None
    )
    if reason:
        examination.leaves.append(pair)
        return raw.not_compared(pair.inner(name, pair.a, pair.b), reason, found)
    if _follows_from_id(pair, kind, ids):
        what = (
            f"every file is equal; follows from the IDs of the {kind.name}: copies of them, and checksums of its tables"
        )
        return Difference(name, Kind.METADATA, what, causes=causes_of([Sighting(pair.path, where=Field.RANDOM_ID)]))
    causes = tuple(
        cause for cause in found.causes if is_alone and cause != TIME
    )  # a clock is read for a field, or a file
    if kind.packed_size and first_difference(*(blob.part(*kind.packed_size) for blob in (pair.a, pair.b))) is not None:
        causes = causes_of([Sighting(pair.path, where=Field.COMPRESSION)])
    what = f"every file is equal; the layout, or what lies between the files, {found.what}"
    return replace(found, what=what, causes=causes)


def _fields(pair: Pair, kind: _FileSystem) -> Iterator[Difference]:
    for name, offset, size_bytes in kind.fields:
        left, right = (blob.read(offset, size_bytes) for blob in (pair.a, pair.b))
        if left != right:
            told = [_told(side) for side in (left, right)]
            where = Field.RANDOM_ID if size_bytes == _ID_BYTES else Field.MTIME
            causes = causes_of([Sighting(pair.path, where=where, a=told[0], b=told[1])])
            yield Difference(name, Kind.METADATA, f"of the {kind.name} differs", told[0], told[1], causes)


def _settings(pair: Pair, kind: _FileSystem) -> Iterator[Difference]:
    """Labels, and how it is laid out: what whoever made it chose."""
    for name, offset, size_bytes in (*kind.labels, *kind.numbers):
        left, right = (blob.read(offset, size_bytes) for blob in (pair.a, pair.b))
        if left != right:
            is_label = (name, offset, size_bytes) in kind.labels
            a, b = (_label(side) if is_label else _number(name, side) for side in (left, right))
            where = Field.COMPRESSION if name == _METHOD else None
            causes = causes_of([Sighting(pair.path, where=where)]) if where else ()
            yield Difference(name, Kind.METADATA, f"of the {kind.name} differs", a, b, causes)


def _label(raw_field: bytes) -> str:
    return raw_field.split(b"\0", 1)[0].decode("utf-8", "replace") or "none"


def _number(name: str, raw_field: bytes) -> str:
    number = int.from_bytes(raw_field, "little")
    if name == _METHOD:
        return _METHODS.get(number, f"method {number}")
    return f"{number:#x}" if "features" in name else str(number)


def _told(raw_field: bytes) -> str:
    if len(raw_field) == _ID_BYTES:
        return str(UUID(bytes=raw_field))
    seconds = int.from_bytes(raw_field, "little")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC" if seconds < 1 << 36 else f"{seconds} s"


def _changed_sums(pair: Pair, kind: _FileSystem) -> Iterator[Difference]:
    """Where a checksum is all that differs: at most one of them is right."""
    for name, offset, size_bytes in kind.sums:
        left, right = (blob.read(offset, size_bytes) for blob in (pair.a, pair.b))
        if left != right:
            what = f"of the {kind.name} differs, and nothing that it is over: one of them is wrong"
            yield Difference(name, Kind.METADATA, what, left.hex(), right.hex())


def _ids(pair: Pair, kind: _FileSystem) -> list[_Ids]:
    """Those that differ."""
    found = [
        (name, pair.a.read(offset, size_bytes), pair.b.read(offset, size_bytes))
        for name, offset, size_bytes in kind.fields
        if size_bytes == _ID_BYTES
    ]
    if kind.ids is not None:
        try:
            one, other = kind.ids(pair.a), kind.ids(pair.b)
        except TeekitError:
            one = other = {}  # a note says why, as its files cannot be read either
        found += [(name, one[name], other[name]) for name in one if name in other]
    return [row for row in found if row[1] != row[2]]


def _changed_ids(pair: Pair, kind: _FileSystem, ids: list[_Ids]) -> Iterator[Difference]:
    """Those outside of the superblock."""
    told = {name for name, *_ in kind.fields}
    for name, left, right in ids:
        if name not in told:
            causes = causes_of([Sighting(pair.path, where=Field.RANDOM_ID)])
            what = f"of the {kind.name} differs"
            yield Difference(name, Kind.METADATA, what, _told(left), _told(right), causes)


def _follows_from_id(pair: Pair, kind: _FileSystem, ids: list[_Ids]) -> bool:
    """Whether all that differs outside of the superblock's fields are copies of an ID that differs, and numbers no longer than the
    checksums of ext4, XFS and btrfs, which begin with the ID.
    """
    if not ids or pair.a.size_bytes != pair.b.size_bytes:
        return False
    known = [range(offset, offset + size_bytes) for _, offset, size_bytes in kind.all_fields]
    sums = 0
    for at in range(0, pair.a.size_bytes, _PIECE_BYTES):
        sides = [bytearray(blob.read(at, _PIECE_BYTES + _ID_BYTES)) for blob in (pair.a, pair.b)]
        if sides[0] == sides[1]:
            continue
        for _, left, right in ids:
            _clear_copies(sides, left, right)
        for block in range(0, _PIECE_BYTES, _BLOCK_BYTES):
            parts = [bytes(side[block : min(block + _BLOCK_BYTES, _PIECE_BYTES)]) for side in sides]
            for start, stop in raw.stretches(parts[0], parts[1]):
                first, last = at + block + start, at + block + stop - 1
                sums += 1
                is_told = any(first in span and last in span for span in known)
                if sums > _MOST_SUMS or not (is_told or stop - start <= _MOST_SUM_BYTES):
                    return False
    return True


def _clear_copies(sides: list[bytearray], left: bytes, right: bytes) -> None:
    """Both at the same place."""
    at = sides[0].find(left)
    while at >= 0:
        if sides[1].startswith(right, at):
            for side in sides:
                side[at : at + _ID_BYTES] = bytes(_ID_BYTES)
        at = sides[0].find(left, at + 1)


def _between(pair: Pair, kind: _FileSystem) -> Iterator[tuple[Blob, Blob]]:
    at = 0
    for _, offset, size_bytes in kind.all_fields:
        yield pair.a.part(at, offset - at), pair.b.part(at, offset - at)
        at = offset + size_bytes
    yield pair.a.part(at, pair.a.size_bytes), pair.b.part(at, pair.b.size_bytes)
