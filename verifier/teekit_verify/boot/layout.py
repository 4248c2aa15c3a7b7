"""The raw disk image a UKI is booted from: GPT, one ESP, the UKI as the removable-media boot file.

The firmware measures the partition table (header and used entries), so everything in it is fixed or a function of the
UKI's size and the disk's. This file is the definition for all our disk images: the image's build runs it, and the
verifier has it as `teekit_verify.boot.layout`. It imports nothing but the standard library.

    LBA 0         protective MBR           sector: 512 bytes
    LBA 1..33     GPT, first usable LBA 2048
    1 MiB         ESP: FAT32, clusters of 4 KiB, the UKI rounded up to 1 MiB and 16 MiB more, at least 272 MiB
    last 1 MiB    backup GPT
    disk size     rounded up to a multiple (1 MiB; the clouds want 1 GiB), or given

The 16 MiB hold both FATs (1/512 of the ESP: 8 MiB for FAT32's largest file, 4 GiB) and directories; 272 MiB is the least
FAT32 with clusters of 4 KiB (65,525 clusters).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
GIB = 1 << 30
SECTOR_BYTES = 512
DISK_GUID = "7EE417D1-5C0A-4D0B-9E51-0D15C0000001"
ESP_GUID = "7EE417D1-5C0A-4D0B-9E51-0D15C0000002"
ESP_TYPE_GUID = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"  # UEFI 2.10, table 5.7
ESP_OFFSET_BYTES = MIB
BOOT_FILE = "EFI/BOOT/BOOTX64.EFI"  # UEFI 2.10, 3.5.1.1
# For the programs below. All times in the FAT are 1980-01-01, its first day.
ENVIRONMENT = {"SOURCE_DATE_EPOCH": "315532800", "TZ": "UTC0", "LC_ALL": "C", "MTOOLSRC": "/dev/null"}

_FAT_SERIAL = "7EE417D1"
_MIN_ESP_BYTES = 272 * MIB
_ESP_SLACK_BYTES = 16 * MIB
_CLUSTER_SECTORS = 8
_MAX_FILE_BYTES = 4 * GIB - 1


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes of a disk image in bytes; the ESP starts at 1 MiB."""

    esp_bytes: int
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, and what it is told on standard input."""

    argv: tuple[str, ...]
    stdin: bytes | None = None


def geometry(uki_bytes: int, *, multiple_bytes: int = MIB, disk_bytes: int | None = None) -> Geometry:
    """The layout for a UKI of this size. Raises ValueError if it does not fit into FAT32 or `disk_bytes`."""
    if not 0 < uki_bytes <= _MAX_FILE_BYTES:
        raise ValueError(f"a UKI of {uki_bytes} bytes does not fit into a FAT32 file system")
    esp_bytes = max(_MIN_ESP_BYTES, _round_up(uki_bytes, MIB) + _ESP_SLACK_BYTES)
    least_bytes = ESP_OFFSET_BYTES + esp_bytes + MIB
    if disk_bytes is None:
        return Geometry(esp_bytes, _round_up(least_bytes, multiple_bytes))
    if disk_bytes < least_bytes or disk_bytes % MIB:
        raise ValueError(
            f"a disk of {disk_bytes} bytes for a UKI of {uki_bytes}: expected a multiple of 1 MiB, at least {least_bytes}"
        )
    return Geometry(esp_bytes, disk_bytes)


def commands(uki: Path, image: Path, layout: Geometry) -> tuple[Command, ...]:
    """What makes `image`, an empty sparse file of the disk's size, the disk. Run them in order, with ENVIRONMENT.

    The same bytes for the same UKI and version of mtools, the same partition table with any.
    """
    esp = f"{image.absolute()}@@{ESP_OFFSET_BYTES}"  # as mtools names the ESP
    return (
        Command(("sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(image)), sfdisk_script(layout).encode()),
        Command(("mformat", "-i", esp, "-F", *_shape(layout), "-N", _FAT_SERIAL, "-v", "ESP", "::")),
        Command(("mmd", "-i", esp, "::EFI", "::EFI/BOOT")),
        Command(("mcopy", "-i", esp, str(uki.absolute()), f"::{BOOT_FILE}")),
    )


def sfdisk_script(layout: Geometry) -> str:
    """What `sfdisk` is told: every field of the GPT that it would choose itself is fixed here."""
    start, size = ESP_OFFSET_BYTES // SECTOR_BYTES, layout.esp_bytes // SECTOR_BYTES
    esp = f'start={start}, size={size}, type={ESP_TYPE_GUID}, uuid={ESP_GUID}, name="esp"'
    return f"label: gpt\nlabel-id: {DISK_GUID}\nunit: sectors\nfirst-lba: {start}\n{esp}\n"


def _shape(layout: Geometry) -> tuple[str, ...]:
    """FAT32 over the whole ESP; heads and tracks are fixed too, as they are written into the boot sector."""
    sectors, hidden = layout.esp_bytes // SECTOR_BYTES, ESP_OFFSET_BYTES // SECTOR_BYTES
    return ("-T", str(sectors), "-h", "255", "-s", "63", "-H", str(hidden), "-c", str(_CLUSTER_SECTORS))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
