"""The UKI in disks of further kinds, made by qemu-img, sfdisk, dosfstools and the usual compressors: found and measured as in the raw disk."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from builders import fat as made
from builders.tools import require
from builders.uki import build_uki
from teekit_verify.artifacts import packed
from teekit_verify.artifacts.boot_artifact import open_boot_artifact, open_disk
from teekit_verify.artifacts.gpt import GuidPartitionTable, NoTable
from teekit_verify.artifacts.magic import ArtifactKind
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.prediction.image import measure_file

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1 << 20
UKI = build_uki()
BOOT = "EFI/BOOT/BOOTX64.EFI"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.make_disk(tmp_path_factory.mktemp("disk") / "disk.raw", {BOOT: UKI, "other/file.txt": b"hello"})


def _booted(path: Path) -> tuple[ArtifactKind, bytes, GuidPartitionTable | NoTable | None]:
    with open_boot_artifact(path) as boot:
        return boot.kind, bytes(boot.uki.data), boot.gpt


def _registers(path: Path) -> object:
    return measure_file(path).platforms


def _qemu_img(raw: Path, target: Path, *options: str) -> Path:
    subprocess.run([require("qemu-img"), "convert", "-f", "raw", *options, str(raw), str(target)], check=True)
    return target


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (("-O", "qcow2"), ArtifactKind.QCOW2),
        (("-c", "-O", "qcow2", "-o", "compression_type=zstd"), ArtifactKind.QCOW2),
        (("-O", "qcow2", "-o", "cluster_size=512"), ArtifactKind.QCOW2),
        (("-O", "vhdx"), ArtifactKind.VHDX),
        (("-O", "vhdx", "-o", "subformat=dynamic,block_size=1M"), ArtifactKind.VHDX),
        (("-O", "vhdx", "-o", "subformat=fixed"), ArtifactKind.VHDX),
        (("-O", "vpc", "-o", "subformat=dynamic,force_size=on"), ArtifactKind.DYNAMIC_VHD),
    ],
)
def test_disks_of_virtual_machines_measure_as_the_raw_disk(
    raw: Path, tmp_path: Path, options: tuple[str, ...], kind: ArtifactKind
) -> None:
    path = _qemu_img(raw, tmp_path / "disk", *options)
    assert _booted(path) == (kind, UKI, _booted(raw)[2])
    assert _registers(path) == _registers(raw)


def _tar(source: Path, target: Path, *options: str) -> Path:
    subprocess.run([require("tar"), *options, "-C", str(source.parent), "-cf", str(target), source.name], check=True)
    return target


def _pack(raw: Path, folder: Path, how: str) -> Path:
    data, target = raw.read_bytes(), folder / f"image.{how}"
    match how:
        case "gz":
            target.write_bytes(gzip.compress(data[: MIB * 8], 1) + gzip.compress(data[MIB * 8 :], 1))  # two members
        case "xz":
            target.write_bytes(lzma.compress(data, preset=0))
        case "zst":
            target.write_bytes(zstd.compress(data, level=1))
        case "bz2":
            target.write_bytes(bz2.compress(data, 1))
        case "zip":
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                archive.write(raw, "release/disk.img")
                archive.writestr("release/SHA256SUMS", "0" * 64 + "  disk.img\n")
        case "tar":
            _tar(raw, target, "--format=gnu", "-S")
        case "pax.tar":
            _tar(raw, target, "--format=pax", "-S")
        case "ustar.tar":
            _tar(raw, target, "--format=ustar")
        case _:
            inner = _qemu_img(raw, folder / "disk.qcow2", "-O", "qcow2")
            packed_once = folder / "disk.qcow2.zst"
            packed_once.write_bytes(zstd.compress(inner.read_bytes(), level=1))
            with zipfile.ZipFile(target, "w") as archive:
                archive.write(packed_once, packed_once.name)
    return target


@pytest.mark.parametrize("how", ["gz", "xz", "zst", "bz2", "zip", "tar", "pax.tar", "ustar.tar", "qcow2.zst.zip"])
def test_packed_disks_measure_as_the_raw_disk(raw: Path, tmp_path: Path, how: str) -> None:
    path = _pack(raw, tmp_path, how)
    assert _booted(path) == (ArtifactKind.PACKED, UKI, _booted(raw)[2])
    measured = measure_file(path, whole_disk=True)
    assert measured.platforms == _registers(raw)
    assert measured.disk is not None
    assert measured.disk.size_bytes == path.stat().st_size
    digest = subprocess.run([require("sha256sum"), str(path)], capture_output=True, check=True).stdout.split()[0]
    assert measured.disk.sha256 is not None
    assert measured.disk.sha256.hex == digest.decode()  # of the file as it is, not of what it holds


def test_a_sparse_tar_with_many_holes(tmp_path: Path) -> None:
    """More pieces than a header of GNU's old format has room for, in every format that knows sparse files."""
    path = made.make_disk(tmp_path / "disk.raw", {BOOT: UKI})
    with path.open("r+b") as stream:
        for at in range(40 * MIB, 60 * MIB, MIB):
            stream.seek(at)
            stream.write(b"x" * 4096)
    for form in ("gnu", "oldgnu", "pax"):
        target = _tar(path, tmp_path / f"{form}.tar", f"--format={form}", "-S")
        with open_disk(target) as disk:
            disk.stream.seek(0)
            assert disk.stream.read() == path.read_bytes()


def test_a_uki_that_is_packed(tmp_path: Path) -> None:
    path = tmp_path / "my.efi.xz"
    path.write_bytes(lzma.compress(UKI))
    with open_boot_artifact(path) as boot:
        assert (boot.kind, boot.name, bytes(boot.uki.data), boot.gpt) == (ArtifactKind.PACKED, "my.efi", UKI, None)
    with pytest.raises(UnsupportedInputError, match="is a UKI, expected a disk image"), open_disk(path):
        pass


def test_an_archive_with_two_disks_is_refused(raw: Path, tmp_path: Path) -> None:
    path = tmp_path / "both.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(raw, "one.raw")
        archive.add(raw, "two.raw")
    with pytest.raises(
        UnsupportedInputError, match=r"2 members that could be booted \(one.raw, two.raw\), expected one"
    ):
        _booted(path)
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as empty:
        empty.writestr("README", "no disk here")
    with pytest.raises(UnsupportedInputError, match="0 members that could be booted, expected one"):
        _booted(tmp_path / "none.zip")


def test_packed_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = UKI
    for _ in range(5):
        data = gzip.compress(data)
    (tmp_path / "x.gz").write_bytes(data)
    with pytest.raises(UnsupportedInputError, match="more than 4 files packed in each other"):
        _booted(tmp_path / "x.gz")
    monkeypatch.setattr(packed, "FREE_BYTES", 0)
    (tmp_path / "zeros.zst").write_bytes(zstd.compress(bytes(8 * MIB)))
    with pytest.raises(UnsupportedInputError, match="unpacks to more bytes than this program reads"):
        _booted(tmp_path / "zeros.zst")


def test_a_damaged_end_is_seen(raw: Path, tmp_path: Path) -> None:
    data = bytearray(lzma.compress(raw.read_bytes(), preset=0, check=lzma.CHECK_CRC64))
    (tmp_path / "cut.xz").write_bytes(data[:-40])
    with pytest.raises(MalformedInputError, match="ends before its end mark"):
        _booted(tmp_path / "cut.xz")
    (tmp_path / "more.xz").write_bytes(data + b"more")
    with pytest.raises(MalformedInputError, match="follows the end of what is compressed"):
        _booted(tmp_path / "more.xz")


def _mbr_disk(path: Path, rows: str) -> Path:
    with path.open("wb") as stream:
        stream.truncate(64 * MIB)
    script = f"label: dos\nlabel-id: 0x12345678\n{rows}\n"
    subprocess.run([require("sfdisk"), "-q", str(path)], input=script.encode(), check=True, capture_output=True)
    return path


def _with_fat(path: Path, *starts: int, sector_bytes: int = 512) -> Path:
    for start in starts:
        size = ("-S", str(sector_bytes)) if sector_bytes != 512 else ()
        made.run("mkfs.vfat", *size, "--offset", str(start // sector_bytes), str(path), "20480")
        made.put(path, BOOT, UKI, start=start)
    return path


def test_a_disk_with_an_mbr(tmp_path: Path) -> None:
    rows = "start=2048, size=40960, type=ef\nstart=45056, size=2048, type=83"
    path = _with_fat(_mbr_disk(tmp_path / "disk", rows), MIB)
    assert _booted(path) == (ArtifactKind.RAW, UKI, NoTable.NO_GPT)
    only_fat = _with_fat(_mbr_disk(tmp_path / "fat", "start=2048, size=40960, type=c, bootable"), MIB)
    assert _booted(only_fat)[1] == UKI


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("start=2048, size=40960, type=83", "0 partitions to boot from in its MBR"),
        ("start=2048, size=40960, type=ef\nstart=45056, size=40960, type=ef", "2 partitions to boot from in its MBR"),
        ("start=2048, size=40960, type=ef\nstart=45056, size=40960, type=5", "an extended partition"),
    ],
)
def test_an_mbr_that_could_boot_something_else(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=message):
        _booted(_mbr_disk(tmp_path / "disk", rows))


def test_an_mbr_that_firmware_does_not_take(tmp_path: Path) -> None:
    data = bytearray(
        _mbr_disk(tmp_path / "disk", "start=2048, size=40960, type=ef\nstart=45056, size=2, type=83").read_bytes()
    )
    struct.pack_into("<I", data, 446 + 16 + 8, 4096)
    (tmp_path / "overlap").write_bytes(data)
    with pytest.raises(UnsupportedInputError, match="MBR: partition 2 overlaps partition 1"):
        _booted(tmp_path / "overlap")
    struct.pack_into("<I", data, 446 + 16 + 8, 1 << 30)
    (tmp_path / "outside").write_bytes(data)
    with pytest.raises(UnsupportedInputError, match="MBR: partition 2 ends after the disk"):
        _booted(tmp_path / "outside")
    data[0x8001:0x8006] = b"CD001"
    (tmp_path / "iso").write_bytes(data)
    with pytest.raises(UnsupportedInputError, match="an ISO 9660 image, which firmware boots differently"):
        _booted(tmp_path / "iso")


def test_bare_fat(tmp_path: Path) -> None:
    path = made.make_volume(tmp_path / "disk", 32 * MIB)
    made.put(path, BOOT, UKI)
    assert _booted(path) == (ArtifactKind.RAW, UKI, NoTable.NO_GPT)


def test_a_gpt_in_sectors_of_4_kib(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    with path.open("wb") as stream:
        stream.truncate(64 * MIB)
    keys = "g\nn\n1\n256\n+10239\nt\n1\nw\n"  # type 1 is the EFI system partition
    argv = [require("fdisk"), "--sector-size", "4096", str(path)]
    subprocess.run(argv, input=keys.encode(), check=True, capture_output=True)
    kind, uki, gpt = _booted(_with_fat(path, MIB, sector_bytes=4096))
    assert (kind, uki) == (ArtifactKind.RAW, UKI)
    assert isinstance(gpt, GuidPartitionTable)
    assert [(row.first_lba, row.last_lba) for row in gpt.entries] == [(256, 256 + 10239)]
    assert gpt.header == path.read_bytes()[4096 : 4096 + 92]


def _changed(path: Path, offset: int, data: bytes) -> Path:
    target = path.with_name("changed")
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    target.write_bytes(content)
    return target


def test_damaged_vhdx(raw: Path, tmp_path: Path) -> None:
    path = _qemu_img(raw, tmp_path / "disk", "-O", "vhdx")
    one = _changed(path, 64 * 1024 + 100, b"x")
    assert _booted(one)[1] == UKI  # the other header is whole
    (tmp_path / "one").write_bytes(one.read_bytes())
    with pytest.raises(MalformedInputError, match="VHDX: header at offset 0x10000: neither copy has a valid checksum"):
        _booted(_changed(tmp_path / "one", 128 * 1024 + 100, b"x"))
    (tmp_path / "cut").write_bytes(path.read_bytes()[: 6 * MIB])
    with pytest.raises(TeekitError, match=r"VHDX: BAT at offset .*, which is not in the file"):
        _booted(tmp_path / "cut")


def test_damaged_dynamic_vhd(raw: Path, tmp_path: Path) -> None:
    path = _qemu_img(raw, tmp_path / "disk", "-O", "vpc", "-o", "subformat=dynamic,force_size=on")
    with pytest.raises(MalformedInputError, match="is not as the copy of it at the beginning"):
        _booted(_changed(path, 100, b"x"))
    with pytest.raises(MalformedInputError, match="dynamic VHD: checksum at offset 0x224"):
        _booted(_changed(path, 512 + 60, b"x"))
    data = path.read_bytes()
    table = int.from_bytes(data[512 + 16 : 512 + 24], "big")
    block = 512 * int.from_bytes(data[table : table + 4], "big")
    with pytest.raises(UnsupportedInputError, match="a sector that is marked as unused is not zero"):
        _booted(_changed(path, block, bytes(512)))


def test_an_archive_that_programs_read_in_different_ways(tmp_path: Path) -> None:
    """A link with content, which GNU tar passes over only in part, a global header, and a header whose sum is wrong."""
    (tmp_path / "uki.efi").write_bytes(UKI)
    path = tmp_path / "x.tar"
    for kind, records in ((tarfile.LNKTYPE, b""), (tarfile.XGLTYPE, b"16 size=1234567\n")):
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            header = tarfile.TarInfo("first")
            header.type, header.size = kind, len(records) or 512
            archive.fileobj.write(header.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512, b"\0"))
            archive.add(tmp_path / "uki.efi", "uki.efi")
        with pytest.raises(UnsupportedInputError, match="has content, which programs read in different ways"):
            _booted(path)
    subprocess.run([require("tar"), "--format=gnu", "-C", str(tmp_path), "-cf", str(path), "uki.efi"], check=True)
    assert _booted(path)[1] == UKI
    with pytest.raises(MalformedInputError, match="tar: header checksum at offset 0x94"):
        _booted(_changed(path, 1, b"x"))


def test_the_padding_of_a_bitmap_says_nothing(raw: Path, tmp_path: Path) -> None:
    """Blocks of 64 KiB have 16 bytes of bitmap, and 496 that pad it to a sector."""
    path = _qemu_img(raw, tmp_path / "disk", "-O", "vpc", "-o", "subformat=dynamic,force_size=on")
    whole = path.read_bytes()
    footer, header = whole[:512], bytearray(whole[512:1536])
    data, small = raw.read_bytes(), 1 << 16
    count = len(data) // small
    struct.pack_into(">II", header, 28, count, small)
    struct.pack_into(">Q", header, 16, 1536)
    struct.pack_into(">I", header, 36, ~(sum(header[:36]) + sum(header[40:])) & 0xFFFFFFFF)
    table, blocks, at = bytearray(), bytearray(), 1536 + -(-4 * count // 512) * 512
    for number in range(count):
        block = data[number * small : (number + 1) * small]
        table += struct.pack(">I", (at + len(blocks)) // 512 if any(block) else 0xFFFFFFFF)
        blocks += (b"\xff" * 512 + block) if any(block) else b""
    table += bytes(at - 1536 - len(table))
    path.write_bytes(footer + header + table + blocks + footer)
    assert _booted(path)[1] == UKI
    with pytest.raises(UnsupportedInputError, match="a sector that is marked as unused is not zero"):
        _booted(_changed(path, at, bytes(16)))


def test_a_zip_whose_member_goes_on_after_its_end(tmp_path: Path) -> None:
    """RFC 1951: the last block says so. The directory counts more bytes (APPNOTE.TXT 4.3.12: the packed size is at 20)."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.efi", b"MZ" + bytes((1 << 19) - 2))
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\1\2")
    longer = struct.unpack_from("<I", data, entry + 20)[0] + 16
    for place in (18, entry + 20):  # in the header before it, and in the directory
        struct.pack_into("<I", data, place, longer)
    path.write_bytes(data)
    with pytest.raises(MalformedInputError, match="something follows what is deflated"):
        _booted(path)
