"""File systems: the times and IDs in their superblocks, their files where they can be read, and what differs besides.

Sources: Linux fs/squashfs/squashfs_fs.h, fs/ext4/ext4.h, fs/erofs/erofs_fs.h, fs/xfs/libxfs/xfs_format.h,
include/uapi/linux/btrfs_tree.h; ECMA-119, 8.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from teekit_verify.explanation import raw
from teekit_verify.explanation.causes.find import causes_of
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

_ID_BYTES = 16
_ISO_MAGIC, _ISO_AT = b"CD001", 0x8001
BEGINNING_BYTES = 0x10048
"""As far as the last magic number reaches."""


@dataclass(frozen=True, slots=True)
class _FileSystem:
    """`fields`: name, offset, size in bytes; 16 bytes are an ID, fewer a time in seconds since 1970.

    `files` reads the tree.
    """

    name: str
    magic: bytes
    magic_offset: int
    fields: tuple[tuple[str, int, int], ...]
    files: Callable[[Blob], Iterator[TreeFile]]
    facts: Callable[[Examination, Pair], list[Difference]] | None = None
    is_packed: bool = False


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
        *("squashfs", b"hsqs", 0, (("time of making", 8, 4),), lambda blob: Squashfs(blob).files()), is_packed=True
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
    ),
    _FileSystem(
        *("erofs", b"\xe2\xe1\xf5\xe0", 1024),
        (("time of making", 1024 + 24, 8), ("UUID", 1024 + 48, _ID_BYTES)),
        lambda blob: Erofs(blob).files(),
    ),
    _FileSystem("xfs", b"XFSB", 0, (("UUID", 32, _ID_BYTES),), lambda blob: Xfs(blob).files()),
    _FileSystem(
        *("btrfs", b"_BHRfS_M", 0x10040),
        (("UUID", 0x10020, _ID_BYTES), ("UUID of the device", 0x1010B, _ID_BYTES)),
        lambda blob: Btrfs(blob).files(),
    ),
    _FileSystem(*("ISO 9660", _ISO_MAGIC, _ISO_AT, ()), lambda blob: Iso9660(blob).files(), _iso_facts),
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
    children = list(_fields(pair, kinds[0]))
    children += _facts(examination, pair, kinds[0])
    files = _files(examination, pair, kinds[0])
    children += files or ()
    if not files and any(first_difference(*part) is not None for part in _between(pair, kinds[0])):
        children.append(_rest(examination, pair, kinds[0], is_read=files is not None))
    what = f"{kinds[0].name} file system"
    return Difference(pair.name, Kind.CONTENT, what, *pair.sizes, children=tuple(children)) if children else None


def _facts(examination: Examination, pair: Pair, kind: _FileSystem) -> list[Difference]:
    try:
        return [] if kind.facts is None else kind.facts(examination, pair)
    except TeekitError as error:
        examination.note(f"{error.message}: {' > '.join(pair.path)} is not examined further")
        return []


def _files(examination: Examination, pair: Pair, kind: _FileSystem) -> list[Difference] | None:
    """None, and a note, if they cannot be read."""
    try:
        return compare_trees(examination, pair, (kind.files(pair.a), kind.files(pair.b)))
    except TeekitError as error:
        examination.note(f"{error.message}: {' > '.join(pair.path)} is compared byte by byte")
        return None


def _rest(examination: Examination, pair: Pair, kind: _FileSystem, *, is_read: bool) -> Difference:
    """What no file shows: the layout, free space, a journal."""
    name = "outside of the files" if is_read else "content"
    found = raw.compare_bytes(pair.inner(name, pair.a, pair.b), examination.conditions, is_code=kind.is_packed)
    if not is_read:
        examination.leaves.append(pair)
        return found
    return replace(found, what=f"every file is equal; the layout, or what lies between the files, {found.what}")


def _fields(pair: Pair, kind: _FileSystem) -> Iterator[Difference]:
    for name, offset, size_bytes in kind.fields:
        left, right = (blob.read(offset, size_bytes) for blob in (pair.a, pair.b))
        if left != right:
            told = [_told(side) for side in (left, right)]
            where = Field.RANDOM_ID if size_bytes == _ID_BYTES else Field.MTIME
            causes = causes_of([Sighting(pair.path, where=where, a=told[0], b=told[1])])
            yield Difference(name, Kind.METADATA, f"of the {kind.name} differs", told[0], told[1], causes)


def _told(raw_field: bytes) -> str:
    if len(raw_field) == _ID_BYTES:
        return str(UUID(bytes=raw_field))
    seconds = int.from_bytes(raw_field, "little")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC" if seconds < 1 << 36 else f"{seconds} s"


def _between(pair: Pair, kind: _FileSystem) -> Iterator[tuple[Blob, Blob]]:
    at = 0
    for _, offset, size_bytes in kind.fields:
        yield pair.a.part(at, offset - at), pair.b.part(at, offset - at)
        at = offset + size_bytes
    yield pair.a.part(at, pair.a.size_bytes), pair.b.part(at, pair.b.size_bytes)
