"""Disks with an MBR, in sectors of 4 KiB, bare or packed; headers of verity and LUKS; pax; lz4 and lzma."""

from __future__ import annotations

import lzma
import struct
import subprocess
import zlib
from pathlib import Path
from uuid import UUID

import pytest

from builders.cpio import Entry, build_cpio
from builders.explain import explained, mbr_disk, named, packed
from builders.tools import require
from teekit_verify.explanation.tree import Kind

IDS = UUID(int=0x11111111), UUID(int=0x22222222)


def gpt_disk(content: bytes, sector: int, *, guid: UUID = IDS[0]) -> bytes:
    """UEFI 2.10, 5.3.2 and 5.3.3."""
    row = struct.pack("<16s16sQQQ72s", UUID(int=5).bytes_le, guid.bytes_le, 8, 9, 0, "data".encode("utf-16-le"))
    table = row.ljust(sector, b"\0")
    fields = (0x10000, 92, 0, 0, 1, 63, 3, 60, guid.bytes_le, 2, sector // 128, 128, zlib.crc32(table))
    header = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", *fields)
    disk = bytes(sector) + header.ljust(sector, b"\0") + table + bytes(5 * sector)
    return (disk + content.ljust(2 * sector, b"\0")).ljust(64 * sector, b"\0")


@pytest.mark.parametrize("sector", [512, 4096])
def test_a_gpt_of_either_sector_size(tmp_path: Path, sector: int) -> None:
    found = explained(tmp_path, gpt_disk(b"one\n", sector), gpt_disk(b"two\n", sector), name="disk.raw")
    assert [name for name, _ in named(found)] == ["partition 1"]
    found = explained(tmp_path, gpt_disk(b"", sector), gpt_disk(b"", sector, guid=IDS[1]), name="disk.raw")
    assert named(found)[:2] == [("disk GUID", ["GPT GUID"]), ("partition GUID of partition 1", ["GPT GUID"])]
    changed = bytearray(gpt_disk(b"", sector))
    changed[-1] = 1
    assert named(explained(tmp_path, gpt_disk(b"", sector), bytes(changed), name="d"))[0][0].startswith("backup")


def test_an_mbr(tmp_path: Path) -> None:
    found = explained(tmp_path, mbr_disk(b"one\n"), mbr_disk(b"two\n"), name="disk.raw")
    assert [name for name, _ in named(found)] == ["partition 1"]
    found = explained(tmp_path, mbr_disk(b""), mbr_disk(b"", signature=2), name="disk.raw")
    assert named(found) == [("disk signature", ["random id"])]


@pytest.mark.parametrize("compression", ["zstd", "gzip", "xz"])
def test_a_disk_in_a_compressed_file(tmp_path: Path, compression: str) -> None:
    sides = [packed(mbr_disk(text), compression) for text in (b"one\n", b"two\n")]
    assert [name for name, _ in named(explained(tmp_path, *sides, name="disk"))] == ["partition 1"]


def test_a_foreign_disk_is_named_as_such(tmp_path: Path) -> None:
    beginning = b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe"
    found = explained(tmp_path, beginning + bytes(999) + b"a", beginning + bytes(999) + b"b", name="disk")
    assert found.differences[0].kind is Kind.NOT_COMPARED
    assert found.differences[0].what.startswith("not compared: A and B cannot be read: VDI disks are not supported")
    assert found.notices[0].startswith("VDI disks are not supported, convert them with `qemu-img convert -O raw`: disk")


@pytest.mark.parametrize(
    ("at", "magic", "name"),
    [
        # what file(1) and blkid(8) know of them
        (3, b"EXFAT   ", "exFAT"),
        (3, b"NTFS    ", "NTFS"),
        (3, b"-FVE-FS-", "BitLocker"),
        (1024, struct.pack("<I", 0xF2F52010), "F2FS"),
        (32769, b"BEA01\1".ljust(2048, b"\0") + b"NSR03\1", "UDF"),
        (512, b"LABELONE" + struct.pack("<QII", 1, 0, 32) + b"LVM2 001", "LVM2"),
        (0, struct.pack(">IBB", 0xEDABEEDB, 3, 0), "RPM"),
        (0, b"7z" + bytes.fromhex("bcaf271c0004"), "7z"),
        (0, struct.pack("<IHH", 0xED26FF3A, 1, 0), "Android"),
    ],
)
def test_what_no_reader_is_for_is_not_compared(tmp_path: Path, at: int, magic: bytes, name: str) -> None:
    """The bytes that differ would be given a cause that they do not have."""
    head = bytes(at) + magic
    sides = [head.ljust(40_000, b"\0") + second for second in (struct.pack("<I", 1_780_000_001), bytes(4))]
    found = explained(tmp_path, *sides, name="volume")
    assert not found.is_compared
    assert name in found.differences[0].what
    assert not found.differences[0].causes


def test_a_bare_fat(tmp_path: Path) -> None:
    sides = []
    for text in (b"one\n", b"two\n"):
        (tmp_path / "file.txt").write_bytes(text)
        image = tmp_path / "fat"
        image.write_bytes(bytes(1 << 20))
        subprocess.run([require("mformat"), "-i", image, "-N", "12345678", "::"], check=True)
        subprocess.run([require("mcopy"), "-i", image, tmp_path / "file.txt", "::FILE.TXT"], check=True)
        sides.append(image.read_bytes())
    assert "FILE.TXT" in [name for name, _ in named(explained(tmp_path, *sides, name="esp"))]


def verity(uuid: UUID, salt: bytes, tree: bytes) -> bytes:
    """cryptsetup lib/verity/verity.c: struct verity_sb."""
    head = struct.pack(
        "<8sII16s32sIIQH6x256s168x", b"verity\0\0", 1, 1, uuid.bytes, b"sha256", *(4096, 4096, 8, 32), salt
    )
    return head.ljust(4096, b"\0") + tree


def test_verity(tmp_path: Path) -> None:
    one = verity(IDS[0], b"a" * 32, b"tree one" * 512)
    found = explained(tmp_path, one, verity(IDS[1], b"b" * 32, b"tree two" * 512), name="verity")
    assert named(found) == [("UUID", ["random id"]), ("salt", ["random id"]), ("hash tree", ["digest"])]
    found = explained(tmp_path, one, verity(IDS[0], b"a" * 32, b"tree two" * 512), name="verity")
    assert found.differences[0].children[0].what == "follows from the data partition, which differs"


def test_luks(tmp_path: Path) -> None:
    sides = []
    for number in (b"1", b"2"):
        head = struct.pack(
            ">6sH32s32s32sII20s32sI40s",
            b"LUKS\xba\xbe",
            1,
            b"aes",
            b"xts-plain64",
            b"sha256",
            8,
            64,
            *(number * 20, number * 32, 1000, number * 36),
        )
        sides.append(head.ljust(4096, b"\0") + number * 512)
    rows = named(explained(tmp_path, *sides, name="luks"))
    assert [name for name, _ in rows] == ["UUID", "salt of the volume key", "key slots", "encrypted data"]
    assert rows[3][1] == ["encryption"]
    found = explained(tmp_path, sides[0], sides[0][:-1] + b"2", name="luks")
    assert [child.kind for child in found.differences[0].children] == [Kind.NOT_COMPARED]
    assert not found.is_compared


def test_attributes_and_times_in_pax(tmp_path: Path) -> None:
    sides = []
    for second in (1, 2):
        records = [
            f"ctime=178000000{second}.5".encode(),
            b"SCHILY.xattr.security.capability=" + struct.pack("<5I", 0x02000001, second << 13, 0, 0, 0),
        ]
        data = b"".join(record_of(record) for record in records)
        sides.append(tar_block("PaxHeaders/x", data, b"x") + tar_block("x", b"text", b"0") + bytes(1024))
    found = explained(tmp_path, *sides, name="x.tar")
    assert [(one.what, one.a, one.b) for one in found.differences[0].children] == [
        # getcap(8) has these names; date --utc --date=@1780000001 the time
        ("capability", "cap_net_raw=ep", "cap_ipc_lock=ep"),
        ("change time (ctime)", "2026-05-28 20:26:41.5 UTC", "2026-05-28 20:26:42.5 UTC"),
    ]


def record_of(record: bytes) -> bytes:
    size = len(record) + 2
    while size != len(str(size)) + len(record) + 2:
        size = len(str(size)) + len(record) + 2
    return b"%d %b\n" % (size, record)


def tar_block(name: str, data: bytes, kind: bytes) -> bytes:
    fields = (
        name.encode(),
        b"0000644",
        b"0000000",
        b"0000000",
        b"%011o" % len(data),
        b"00000000000",
        b"",
        kind,
        b"",
        b"ustar",
        b"00",
    )
    header = struct.pack("100s8s8s8s12s12s8sc100s6s2s247x", *fields)
    return header + data.ljust(-(-len(data) // 512) * 512, b"\0")


def lz4(folder: Path, data: bytes, *options: str) -> bytes:
    (folder / "plain").write_bytes(data)
    command = [require("lz4"), "-q", "-f", *options, str(folder / "plain"), str(folder / "packed")]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "packed").read_bytes()


@pytest.mark.parametrize("options", [("-9",), ("-l",), ("-BD", "-BX", "--content-size"), ("-B4", "--no-frame-crc")])
def test_an_initrd_in_lz4(tmp_path: Path, options: tuple[str, ...]) -> None:
    noise = bytes(number * number % 251 for number in range(300_000))
    archives = [build_cpio([Entry("noise", noise), Entry("etc/x", text)]) for text in (b"one\n", b"two\n")]
    found = explained(tmp_path, *(lz4(tmp_path, data, *options) for data in archives), name="initrd")
    assert [name for name, _ in named(found)] == ["etc/x"]
    assert found.notices == ()


def test_an_initrd_in_lzma(tmp_path: Path) -> None:
    sides = [lzma.compress(build_cpio([Entry("etc/x", text)]), lzma.FORMAT_ALONE) for text in (b"one\n", b"two\n")]
    assert [name for name, _ in named(explained(tmp_path, *sides, name="initrd"))] == ["etc/x"]


def test_a_damaged_lz4_frame(tmp_path: Path) -> None:
    whole = lz4(tmp_path, build_cpio([Entry("etc/x", b"text" * 500)]))
    found = explained(tmp_path, whole, whole[:-9], name="initrd")
    assert found.notices[0].startswith("initrd (lz4): compressed data at offset")


def test_the_type_of_a_partition_is_not_drawn_at_random(tmp_path: Path) -> None:
    """Two of those that sfdisk lists, as what a 4 KiB partition is of."""
    sides = []
    for kind in ("L", "S"):
        path = tmp_path / "disk"
        path.write_bytes(bytes(3 << 20))
        table = f"label: gpt\nlabel-id: {UUID(int=1)}\nstart=2048, size=8, type={kind}, uuid={UUID(int=2)}\n"
        subprocess.run([require("sfdisk"), "-q", str(path)], input=table.encode(), check=True, capture_output=True)
        sides.append(path.read_bytes())
    assert named(explained(tmp_path, *sides, name="disk.raw")) == [("partition type of partition 1", [])]
