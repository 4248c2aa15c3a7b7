"""File systems that are not looked into: the times and IDs in their superblocks, then what differs besides.

Sources: Linux fs/squashfs/squashfs_fs.h, fs/ext4/ext4.h, fs/erofs/erofs_fs.h, fs/xfs/libxfs/xfs_format.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.artifacts.blob import first_difference
from teekit_verify.explanation import raw
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.blob import Blob
    from teekit_verify.explanation.examination import Examination
    from teekit_verify.explanation.pair import Pair

_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class _FileSystem:
    """`fields`: name, offset, size in bytes; 16 bytes are an ID, fewer a time in seconds since 1970."""

    name: str
    magic: bytes
    magic_offset: int
    fields: tuple[tuple[str, int, int], ...]
    is_packed: bool = False


_KNOWN = (
    _FileSystem("squashfs", b"hsqs", 0, (("time of making", 8, 4),), is_packed=True),
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
    ),
    _FileSystem("erofs", b"\xe2\xe1\xf5\xe0", 1024, (("time of making", 1024 + 24, 8), ("UUID", 1024 + 48, _ID_BYTES))),
    _FileSystem("xfs", b"XFSB", 0, (("UUID", 32, _ID_BYTES),)),
)


def is_file_system(beginning: bytes) -> bool:
    return _known(beginning) is not None


def _known(beginning: bytes) -> _FileSystem | None:
    return next((row for row in _KNOWN if beginning[row.magic_offset :].startswith(row.magic)), None)


def compare_file_systems(examination: Examination, pair: Pair) -> Difference | None:
    """None if they are of two kinds."""
    kinds = [_known(blob.read(0, 4096)) for blob in (pair.a, pair.b)]
    if kinds[0] is None or kinds[0] is not kinds[1]:
        return None
    children = list(_fields(pair, kinds[0]))
    if any(first_difference(*part) is not None for part in _between(pair, kinds[0])):
        inner = pair.inner("content", pair.a, pair.b)
        children.append(raw.compare_bytes(inner, examination.conditions, is_code=kinds[0].is_packed))
        examination.note(f"{' > '.join(pair.path)}: the files in a {kinds[0].name} are not compared one by one")
        examination.leaves.append(pair)
    return Difference(pair.name, Kind.CONTENT, f"{kinds[0].name} file system", *pair.sizes, children=tuple(children))


def _fields(pair: Pair, kind: _FileSystem) -> Iterator[Difference]:
    for name, offset, size_bytes in kind.fields:
        left, right = (blob.read(offset, size_bytes) for blob in (pair.a, pair.b))
        if left != right:
            told = [_told(side) for side in (left, right)]
            where = "random ID" if size_bytes == _ID_BYTES else "mtime"
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
