"""Disks made by sfdisk, mtools, mkfs.vfat, qemu-img and tar, each with one thing planted."""

from __future__ import annotations

import gzip
import struct
import subprocess
from pathlib import Path

import pytest

from builders.cpio import Entry
from builders.explain import explained, named, uki_with
from builders.fat import ESP_START, MIB, make_disk, put
from builders.tools import require
from builders.vhd import footer, with_checksum

BOOT = "EFI/BOOT/BOOTX64.EFI"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("disk")
    return make_disk(folder / "disk.raw", {BOOT: uki_with(Entry("etc/x", b"1\n"))}, size_bytes=8 * MIB).read_bytes()


def patched(disk: bytes, offset: int, data: bytes) -> bytes:
    return disk[:offset] + data + disk[offset + len(data) :]


def repaired(disk: bytes) -> bytes:
    """The CRCs of the primary GPT made to fit, as sfdisk would write them."""
    from zlib import crc32  # noqa: PLC0415

    changed = bytearray(disk)
    struct.pack_into("<I", changed, 512 + 88, crc32(changed[1024 : 1024 + 128 * 128]))
    changed[512 + 16 : 512 + 20] = bytes(4)
    struct.pack_into("<I", changed, 512 + 16, crc32(changed[512 : 512 + 92]))
    return bytes(changed)


def test_a_file_in_the_initrd_of_the_uki_on_the_disk(tmp_path: Path, disk: bytes) -> None:
    (tmp_path / "other.raw").write_bytes(disk)
    put(tmp_path / "other.raw", BOOT, uki_with(Entry("var/log/x.log", b"2\n")), start=ESP_START)
    found = explained(tmp_path, disk, (tmp_path / "other.raw").read_bytes(), name="disk.raw")
    (leaf,) = [one for one in named(found) if one[0].startswith("var")]
    assert leaf == ("var/log/x.log", ["log file"])
    assert found.differences[0].what == "raw disk"
    assert BOOT in [one.name for one in found.differences[0].children]


@pytest.mark.parametrize(
    ("offset", "name", "cause"),
    [(512 + 56, "disk GUID", "GPT GUID"), (1024 + 16, "partition GUID of partition 1", "GPT GUID")],
)
def test_guids(tmp_path: Path, disk: bytes, offset: int, name: str, cause: str) -> None:
    other = repaired(patched(disk, offset, bytes(range(16))))
    found = explained(tmp_path, disk, other, name="disk.raw")
    assert named(found) == [(name, [cause])]
    assert found.differences[0].children[0].b == "03020100-0504-0706-0809-0a0b0c0d0e0f"


def test_serial_label_and_times_of_the_file_system(tmp_path: Path, disk: bytes) -> None:
    """fatgen103: BS_VolID at 39 of a FAT12 or FAT16, BS_VolLab at 43, BS_OEMName at 3."""
    other = patched(patched(disk, ESP_START + 39, b"\x78\x56\x34\x12"), ESP_START + 3, b"otheros ")
    found = explained(tmp_path, disk, other, name="disk.raw").differences[0].children
    assert [(one.name, one.b, [cause.name for cause in one.causes]) for one in found] == [
        ("FAT serial", "12345678", ["FAT serial"]),
        ("FAT OEM name", "otheros", []),
    ]
    row = disk.index(b"BOOTX64 EFI")
    other = patched(disk, row + 22, struct.pack("<HH", 5 << 11 | 17 << 5 | 3, (2026 - 1980) << 9 | 11 << 5 | 23))
    (time,) = explained(tmp_path, disk, other, name="disk.raw").differences[0].children
    assert (time.name, time.what, [cause.name for cause in time.causes]) == (
        BOOT,
        "times of the file",
        ["FAT time stamp"],
    )
    assert "written 2026-11-23 05:17:06" in time.b


def test_files_beside_the_uki(tmp_path: Path, disk: bytes) -> None:
    (tmp_path / "other.raw").write_bytes(disk)
    put(tmp_path / "other.raw", "EFI/extra.txt", b"x", start=ESP_START)
    found = explained(tmp_path, disk, (tmp_path / "other.raw").read_bytes(), name="disk.raw").differences[0].children
    assert ("EFI/extra.txt", "only in B") in [(one.name, one.what) for one in found]


def test_another_partition(tmp_path: Path) -> None:
    script = (
        "label: gpt\nlabel-id: 00000000-0000-0000-0000-000000000007\nfirst-lba: 2048\n"
        "start=2048, size=12288, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=00000000-0000-0000-0001-000000000007\n"
        "start=14336, size=1024, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=00000000-0000-0000-0002-000000000007\n"
    )
    made = make_disk(tmp_path / "disk.raw", {}, size_bytes=8 * MIB, script=script).read_bytes()
    other = patched(made, 14336 * 512 + 100, b"built in /srv/place")
    (found,) = explained(tmp_path, made, other, name="disk.raw").differences[0].children
    assert (found.name, found.what) == ("partition 2", "differs from offset 0x64 on")


def test_what_lies_nowhere(tmp_path: Path, disk: bytes) -> None:
    """Bytes that no file covers are told by their place."""
    found = explained(tmp_path, disk, patched(disk, 600_000, b"\xde\xad\xbe\xef\x99"), name="disk.raw")
    assert named(found) == [("space before the EFI system partition", ["uninitialised bytes"])]
    for offset, place in (
        (100, "boot code"),
        (440, "protective MBR"),
        (ESP_START + 512, "boot sectors and allocation tables of the EFI system partition"),
        (ESP_START + 5 * MIB, "directories and free space of the EFI system partition"),
        (len(disk) - 600, "backup of the partition table"),
    ):
        assert [name for name, _ in named(explained(tmp_path, disk, patched(disk, offset, b"\xde\xad"), name="d"))] == [
            place
        ]


def test_the_footer_of_a_vhd(tmp_path: Path, disk: bytes) -> None:
    plain = footer(len(disk))
    changed = bytearray(plain)
    struct.pack_into(">I", changed, 24, 86400)
    changed[68:84] = bytes(range(16))
    found = explained(tmp_path, disk + plain, disk + with_checksum(changed), name="disk.vhd").differences[0]
    assert found.what == "fixed VHD"
    assert [(one.name, one.b, one.causes[0].name) for one in found.children] == [
        ("VHD time stamp", "2000-01-02 00:00:00 UTC", "time stamp"),
        ("VHD unique ID", "00010203-0405-0607-0809-0a0b0c0d0e0f", "VHD unique ID"),
    ]


def archive(folder: Path, disk: bytes, *options: str) -> bytes:
    (folder / "disk.raw").write_bytes(disk)
    # A time of its own: from one archive to the next the clock may go on by a second.
    argv = [require("tar"), "--format=oldgnu", "--mtime=@1", *options, "-C", str(folder), "-cf", "-", "disk.raw"]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def test_a_tar_gz(tmp_path: Path, disk: bytes) -> None:
    options = "--owner=0", "--group=0", "--numeric-owner", "-S"
    one = archive(tmp_path, disk, *options, "--mtime=@1000")
    other = archive(tmp_path, disk, *options, "--mtime=@2000", "--mode=0600")
    packed = gzip.compress(one, mtime=0), patched(gzip.compress(other, mtime=0), 4, struct.pack("<I", 1_700_000_000))
    found = explained(tmp_path, *packed, name="disk.tar.gz").differences[0]
    assert found.what == "tar.gz of a raw disk"
    assert [(one.name, one.b, [cause.name for cause in one.causes]) for one in found.children] == [
        ("gzip time stamp", "2023-11-14 22:13:20 UTC", ["gzip time stamp"]),
        ("tar mode", "0000600", []),
        ("tar mtime", "1970-01-01 00:33:20 UTC", ["time stamp"]),
    ]


def test_a_file_on_a_disk_in_a_tar_gz(tmp_path: Path, disk: bytes) -> None:
    (tmp_path / "other.raw").write_bytes(disk)
    put(tmp_path / "other.raw", BOOT, uki_with(Entry("etc/x", b"2\n")), start=ESP_START)
    sides = [
        gzip.compress(archive(tmp_path, content, "--mtime=@0", "-S"), mtime=0)
        for content in (disk, (tmp_path / "other.raw").read_bytes())
    ]
    found = explained(tmp_path, *sides, name="disk.tar.gz")
    assert "etc/x" in [name for name, _ in named(found)]
    assert found.notices == ()


def test_other_archives_are_no_disks(tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(b"")
    one, other = (gzip.compress(archive(tmp_path, text), mtime=0) for text in (b"one\n", b"two\n"))
    found = explained(tmp_path, one, other, name="x.tar.gz")  # a disk.raw, but no disk
    assert [name for name, _ in named(found)] == ["disk.raw"]
    found = explained(tmp_path, gzip.compress(b"one", mtime=0), gzip.compress(b"two", mtime=0), name="x.gz")
    assert [one.name for one in found.differences[0].children] == ["content"]


def test_a_raw_disk_and_a_vhd(tmp_path: Path, disk: bytes) -> None:
    found = explained(tmp_path, disk, disk + footer(len(disk)), name="disk")
    assert "VHD unique ID" in [name for name, _ in named(found)]
