"""The EFI system partition: boot sector, and directory entries with their times (Microsoft fatgen103)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from teekit_verify.artifacts.fat import FatKind, FatVolume
from teekit_verify.artifacts.fields import Field
from teekit_verify.core.frozen import frozen
from teekit_verify.explanation.causes.find import causes_of
from teekit_verify.explanation.causes.sighting import Sighting
from teekit_verify.explanation.formats.fields import compare_field
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from teekit_verify.artifacts.fat_directory import FatEntry
    from teekit_verify.explanation.pair import Pair

_MAX_FILES = 10_000
_ROW_BYTES = 32
_BOOT_SECTOR_BYTES = 512


@frozen
class Found:
    """A directory entry, its attributes and times as text."""

    entry: FatEntry
    attributes: str
    times: str


def found_files(volume: FatVolume) -> dict[str, Found]:
    """By path. The rows are read again for what a boot does not need of them."""
    entries = sorted(volume.walk(_MAX_FILES), key=lambda item: item[1].offset)
    found = {}
    for path, entry in entries:
        volume.stream.seek(entry.offset)
        row = volume.stream.read(_ROW_BYTES)
        times = (
            f"made {_time(row[16:18], row[14:16])}, written {_time(row[24:26], row[22:24])}, read {_day(row[18:20])}"
        )
        found[path] = Found(entry, f"{row[11]:#04x}", times)
    return found


def _day(raw: bytes) -> str:
    """fatgen103, "Date Format": days, months, years from 1980 in 5, 4 and 7 bits."""
    number = int.from_bytes(raw, "little")
    return f"{1980 + (number >> 9)}-{number >> 5 & 15:02}-{number & 31:02}"


def _time(day: bytes, raw: bytes) -> str:
    """fatgen103, "Time Format": 2-second units, minutes, hours in 5, 6 and 5 bits."""
    number = int.from_bytes(raw, "little")
    return f"{_day(day)} {number >> 11:02}:{number >> 5 & 63:02}:{2 * (number & 31):02}"


def boot_sector(volume: FatVolume) -> dict[str, str]:
    """The fields that a formatting tool chooses; the last one stands for all others."""
    volume.stream.seek(volume.start)
    sector = volume.stream.read(_BOOT_SECTOR_BYTES)
    at = 67 if volume.kind is FatKind.FAT32 else 39
    serial, label = sector[at : at + 4], sector[at + 4 : at + 15]
    others = sector[:3] + sector[11:at] + sector[at + 15 :]
    return {
        Field.FAT_SERIAL: f"{int.from_bytes(serial, 'little'):08x}",
        "FAT label": label.decode("latin-1").rstrip(),
        "FAT OEM name": sector[3:11].decode("latin-1").rstrip(),
        "FAT kind": volume.kind.name,
        "FAT cluster size": f"{volume.cluster_bytes} bytes",
        "FAT boot sector": others.hex(),
    }


_FIELDS: tuple[tuple[str, Field | None, Callable[[Found], str]], ...] = (
    ("times of the file", Field.FAT_TIME, lambda found: found.times),
    ("attributes", None, lambda found: found.attributes),
    ("short name", None, lambda found: found.entry.short_name),
    ("place on the disk", None, lambda found: str(found.entry.first_cluster)),
)


def compare_entries(pair: Pair, one: dict[str, Found], other: dict[str, Found]) -> Iterator[Difference]:
    """Presence, names, times and order; contents are compared elsewhere."""
    for path in dict.fromkeys([*one, *other]):
        if path not in one or path not in other:
            causes = causes_of([Sighting((*pair.path, path))])
            yield Difference(path, Kind.PRESENCE, f"only in {'A' if path in one else 'B'}", causes=causes)
    common = [path for path in one if path in other]
    for what, where, value in _FIELDS:
        yield from compare_field(pair, where, what, ((path, value(one[path]), value(other[path])) for path in common))
    for name, place in (("order of the files", _row), ("order in which the files were written", _cluster)):
        orders = [
            tuple(sorted((path for path in side if path in one and path in other), key=partial(place, side)))
            for side in (one, other)
        ]
        if orders[0] != orders[1]:
            causes = causes_of([Sighting(pair.path, where=Field.ORDER, ordered_a=orders[0], ordered_b=orders[1])])
            yield Difference(name, Kind.ORDER, "the same files in another order", causes=causes)


def _row(found: dict[str, Found], path: str) -> int:
    return found[path].entry.offset


def _cluster(found: dict[str, Found], path: str) -> int:
    return found[path].entry.first_cluster
