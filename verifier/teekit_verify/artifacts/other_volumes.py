r"""Whether a disk has a second place to boot from, which firmware could take before the EFI system partition.

edk2 knows no difference between file systems: it starts `\EFI\BOOT\BOOTX64.EFI` from the first that has it, whatever its partition's type
(MdeModulePkg/Library/UefiBootManagerLib/BmBoot.c, BmExpandMediaDevicePath()), looks for tables and discs inside of partitions too
(Universal/Disk/PartitionDxe/Partition.c), and takes the size of sectors from the device, not from the disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from teekit_verify.artifacts.boot_volume import TableKind, has_protective_row
from teekit_verify.artifacts.fat import may_be_fat, open_fat
from teekit_verify.artifacts.magic import GPT_MAGIC, SECTOR_SIZES
from teekit_verify.core.errors import UnsupportedInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.artifacts.boot_volume import BootVolume

_DISC_AT, _DISC_BYTES = 0x8001, 5
_DISCS = {b"CD001", b"BEA01", b"NSR02", b"NSR03"}
"""ISO 9660, whose El Torito is booted, and UDF (ECMA-167, 2/9.1)."""
_BOOT_SECTOR_BYTES = 512
_HINT = "Give a disk that boots from one place."


def require_no_other(stream: BinaryIO, boot: BootVolume, size_bytes: int, path: tuple[str, ...], what: str) -> None:
    """Raises UnsupportedInputError for a disk of `size_bytes` that could boot `path` from elsewhere, TeekitError for a damaged volume."""
    _require_one_table(stream, boot, size_bytes, what)
    for start, length in sorted(_places(boot, size_bytes)):
        sector = _read(stream, start, _BOOT_SECTOR_BYTES)
        if has_protective_row(sector):
            raise _refused(what, f"a partition table inside of the volume at {start:#x}")
        if start != boot.start and may_be_fat(sector) and open_fat(stream, start, length).find(path) is not None:
            raise _refused(what, f"{'/'.join(path)} in a second volume, at {start:#x}")
        if _read(stream, start + _DISC_AT, _DISC_BYTES) in _DISCS:
            raise _refused(what, f"the image of a disc in the volume at {start:#x}")


def _require_one_table(stream: BinaryIO, boot: BootVolume, size_bytes: int, what: str) -> None:
    """Where there is a GPT in sectors of one size, a device with others looks at its own second and its own last sector."""
    for sector in SECTOR_SIZES if boot.gpt is not None else ():
        if sector != boot.sector_bytes and any(
            _read(stream, at, len(GPT_MAGIC)) == GPT_MAGIC for at in (sector, size_bytes - sector)
        ):
            raise _refused(what, f"a second GPT, in sectors of {sector} bytes")


def _places(boot: BootVolume, size_bytes: int) -> Iterator[tuple[int, int]]:
    """Start and size of each volume in bytes; those of an MBR for a device in larger sectors too."""
    if boot.kind is TableKind.NONE:
        return
    if boot.gpt is not None:
        for entry in boot.gpt.entries:
            yield entry.first_lba * boot.sector_bytes, (entry.last_lba - entry.first_lba + 1) * boot.sector_bytes
        return
    for row in boot.mbr:
        for scale in {sector // boot.sector_bytes for sector in SECTOR_SIZES}:
            if (row.start + row.size_bytes) * scale <= size_bytes:
                yield row.start * scale, row.size_bytes * scale


def _read(stream: BinaryIO, offset: int, size_bytes: int) -> bytes:
    stream.seek(offset)
    return stream.read(size_bytes)


def _refused(what: str, problem: str) -> UnsupportedInputError:
    return UnsupportedInputError(f"{what}: {problem}, which firmware may boot from", hint=_HINT)
