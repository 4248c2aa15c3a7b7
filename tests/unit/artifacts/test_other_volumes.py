"""Disks that boot one UKI as they are read and another one as firmware does, made by sfdisk, dosfstools and qemu-img: refused.

What firmware does is edk2's: UefiBootManagerLib/BmBoot.c (the first file system with the boot file) and PartitionDxe (GPT, MBR).
"""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from builders import fat as made
from builders.tools import require
from builders.uki import build_uki
from teekit_verify.artifacts.boot_artifact import open_boot_artifact
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError

MIB = 1 << 20
UKI, OTHER = build_uki(), build_uki(trailing=b"evil")
BOOT = "EFI/BOOT/BOOTX64.EFI"
ESP, BASIC_DATA = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"


def _booted(path: Path) -> bytes:
    with open_boot_artifact(path) as boot:
        return bytes(boot.uki.data)


def _disk(path: Path, table: str, *volumes: tuple[int, str, bytes]) -> Path:
    """A disk by sfdisk, with a FAT volume of 20 MiB at each place that has the file."""
    with path.open("wb") as stream:
        stream.truncate(64 * MIB)
    subprocess.run([require("sfdisk"), "-q", str(path)], input=table.encode(), check=True, capture_output=True)
    for start, name, content in volumes:
        made.run("mkfs.vfat", "--offset", str(start // 512), str(path), "20480")
        made.put(path, name, content, start=start)
    return path


GPT = f"label: gpt\nstart=2048, size=40960, type={BASIC_DATA}\nstart=45056, size=40960, type={ESP}\n"
MBR = "label: dos\nstart=2048, size=40960, type=c\nstart=45056, size=40960, type=ef\n"


@pytest.mark.parametrize("table", [GPT, MBR])
def test_the_boot_file_in_a_volume_of_another_type(tmp_path: Path, table: str) -> None:
    path = _disk(tmp_path / "disk", table, (MIB, BOOT, OTHER), (22 * MIB, BOOT, UKI))
    with pytest.raises(UnsupportedInputError, match=f"{BOOT} in a second volume, at 0x100000"):
        _booted(path)
    harmless = _disk(tmp_path / "two", table, (MIB, "data/file.txt", b"x"), (22 * MIB, BOOT, UKI))
    assert _booted(harmless) == UKI


@pytest.mark.parametrize("magic", [b"\x01CD001", b"\x00BEA01"])
def test_a_disc_in_a_partition(tmp_path: Path, magic: bytes) -> None:
    path = _disk(tmp_path / "disk", GPT, (22 * MIB, BOOT, UKI))
    assert _booted(path) == UKI
    with path.open("r+b") as stream:
        stream.seek(MIB + 0x8000)
        stream.write(magic)
    with pytest.raises(UnsupportedInputError, match="the image of a disc in the volume at 0x100000"):
        _booted(path)


@pytest.mark.parametrize("start", [MIB, 22 * MIB])
def test_a_table_in_a_partition(tmp_path: Path, start: int) -> None:
    path = _disk(tmp_path / "disk", GPT, (22 * MIB, BOOT, UKI))
    with path.open("r+b") as stream:
        stream.seek(start + 446)
        stream.write(struct.pack("<B3xB3xII", 0, 0xEE, 1, 100))
    with pytest.raises(UnsupportedInputError, match=f"a partition table inside of the volume at {start:#x}"):
        _booted(path)


def _in_large_sectors(path: Path) -> Path:
    with path.open("wb") as stream:
        stream.truncate(64 * MIB)
    keys = "g\nn\n1\n256\n+5119\nt\n1\nw\n"  # type 1 is the EFI system partition
    argv = [require("fdisk"), "--sector-size", "4096", str(path)]
    subprocess.run(argv, input=keys.encode(), check=True, capture_output=True)
    made.run("mkfs.vfat", "-S", "4096", "--offset", "256", str(path), "20480")
    made.put(path, BOOT, UKI, start=MIB)
    return path


def test_a_second_gpt_for_a_device_with_other_sectors(tmp_path: Path) -> None:
    """Firmware with sectors of 512 bytes finds no table at LBA 1, and takes the one in the last 512 bytes."""
    large = _in_large_sectors(tmp_path / "large")
    assert _booted(large) == UKI
    small = _disk(tmp_path / "small", GPT, (22 * MIB, BOOT, OTHER)).read_bytes()
    with large.open("r+b") as stream:
        stream.seek(64 * MIB - 512)
        stream.write(small[-512:])
    with pytest.raises(UnsupportedInputError, match="a second GPT, in sectors of 512 bytes"):
        _booted(large)
    both = tmp_path / "both"
    both.write_bytes(
        small[: 64 * MIB - 4096] + _in_large_sectors(tmp_path / "again").read_bytes()[-4096:-512] + small[-512:]
    )
    with pytest.raises(UnsupportedInputError, match="a second GPT, in sectors of 4096 bytes"):
        _booted(both)


@pytest.mark.parametrize(
    "row",
    [
        struct.pack("<B3xB3xII", 1, 0x0C, 40960, 20480),  # an odd flag, which edk2 does not look at
        struct.pack("<B3xB3xII", 1, 0xEE, 1, 1 << 30),  # too long, and still one that has the GPT at the end looked at
    ],
)
def test_a_file_system_with_partitions_in_its_first_sector(tmp_path: Path, row: bytes) -> None:
    path = made.make_volume(tmp_path / "disk", 32 * MIB)
    made.put(path, BOOT, UKI)
    text = path.read_bytes()[:446] + b"no table, but the text of a boot sector".ljust(64, b".") + b"\x55\xaa"
    path.write_bytes(text + path.read_bytes()[512:])
    assert _booted(path) == UKI
    path.write_bytes(text[:446] + row + bytes(48) + b"\x55\xaa" + path.read_bytes()[512:])
    with pytest.raises(UnsupportedInputError, match="a file system and a partition table in the same sector"):
        _booted(path)


def test_a_vhdx_whose_device_has_other_sectors_than_its_disk(tmp_path: Path) -> None:
    raw, path = _disk(tmp_path / "raw", GPT, (22 * MIB, BOOT, UKI)), tmp_path / "disk.vhdx"
    subprocess.run([require("qemu-img"), "convert", "-f", "raw", "-O", "vhdx", str(raw), str(path)], check=True)
    assert _booted(path) == UKI
    data = bytearray(path.read_bytes())
    table = data.index(b"metadata")
    logical = bytes.fromhex("1dbf41816fa909 47ba47f233a8faab5f")  # [MS-VHDX] 2.6.2.4
    row = data.index(logical, table)
    (offset,) = struct.unpack_from("<I", data, row + 16)
    assert data[table + offset : table + offset + 4] == struct.pack("<I", 512)
    struct.pack_into("<I", data, table + offset, 4096)
    path.write_bytes(data)
    with pytest.raises(UnsupportedInputError, match="a device in sectors of 4096 bytes, and a disk for others"):
        _booted(path)


def test_a_disk_without_a_sector(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    subprocess.run([require("qemu-img"), "create", "-q", "-f", "qcow2", str(path), "0"], check=True)
    with pytest.raises(MalformedInputError, match="FAT: boot sector at offset 0x0: needs 512 bytes, 0 are left"):
        _booted(path)
