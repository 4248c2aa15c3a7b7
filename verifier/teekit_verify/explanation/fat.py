"""The EFI system partition: boot sector, and directory entries with their times (Microsoft fatgen103)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.artifacts.fat import FatEntry, FatKind, FatVolume
from teekit_verify.explanation.culprits import causes_of
from teekit_verify.explanation.sighting import Sighting
from teekit_verify.explanation.tree import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.explanation.examination import Pair

_MAX_FILES = 10_000
_ROW_BYTES = 32
_BOOT_SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
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
        "FAT serial": f"{int.from_bytes(serial, 'little'):08x}",
        "FAT label": label.decode("latin-1").rstrip(),
        "FAT OEM name": sector[3:11].decode("latin-1").rstrip(),
        "FAT kind": volume.kind.name,
        "FAT cluster size": f"{volume.cluster_bytes} bytes",
        "FAT boot sector": others.hex(),
    }


def compare_entries(pair: Pair, one: dict[str, Found], other: dict[str, Found]) -> Iterator[Difference]:
    """Presence, names, times and order; contents are compared elsewhere."""
    for path in dict.fromkeys([*one, *other]):
        left, right = one.get(path), other.get(path)
        if left is None or right is None:
            yield Difference(path, Kind.PRESENCE, f"only in {'B' if left is None else 'A'}")
            continue
        for what, where, a, b in (
            ("times of the file", "FAT time", left.times, right.times),
            ("attributes", "FAT attributes", left.attributes, right.attributes),
            ("short name", "FAT name", left.entry.short_name, right.entry.short_name),
            ("place on the disk", "FAT place", str(left.entry.first_cluster), str(right.entry.first_cluster)),
        ):
            if a != b:
                causes = causes_of([Sighting((*pair.path, path), where=where, a=a, b=b)])
                yield Difference(path, Kind.METADATA, what, a, b, causes)
    common = [[path for path in side if path in one and path in other] for side in (one, other)]
    if common[0] != common[1]:
        orders = [tuple(order) for order in common]
        causes = causes_of([Sighting(pair.path, where="order", ordered_a=orders[0], ordered_b=orders[1])])
        yield Difference("order of the files", Kind.ORDER, "the same files in another order", causes=causes)
