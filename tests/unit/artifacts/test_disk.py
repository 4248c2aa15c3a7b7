"""The UKI in disk images of every kind, made by sfdisk, dosfstools, mtools, tar and qemu-img; and disks that cannot be."""

from __future__ import annotations

import os
import resource
import subprocess
import zlib
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest

from builders import fat as made
from builders import vhd
from builders.gpt import patched
from builders.tools import require
from builders.uki import build_uki, default_sections
from builders.work import bounded_calls, bounded_reading
from teekit_verify.artifacts import disk as disks
from teekit_verify.artifacts.boot_artifact import open_boot_artifact, open_disk, recognise
from teekit_verify.artifacts.companions import Companion
from teekit_verify.artifacts.disk import open_boot_file
from teekit_verify.artifacts.gpt import GuidPartitionTable
from teekit_verify.artifacts.magic import ArtifactKind
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError

MIB = 1 << 20
GIB = 1 << 30
UKI = build_uki(sections=[*default_sections()[:-1], (".initrd", os.urandom(300_000))])
BOOT = "EFI/BOOT/BOOTX64.EFI"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.make_disk(tmp_path_factory.mktemp("disk") / "disk.raw", {BOOT: UKI, "other/file.txt": b"hello"})


def _archive(raw: Path, *options: str) -> Path:
    path = raw.with_suffix(".tar.gz")
    argv = [require("tar"), "--format=oldgnu", "-C", str(raw.parent), *options, "-czf", str(path), raw.name]
    subprocess.run(argv, check=True)
    return path


def _booted(path: Path) -> tuple[ArtifactKind, bytes, UUID | None]:
    with open_boot_artifact(path) as boot:
        return boot.kind, bytes(boot.uki.data), boot.gpt.disk_guid if isinstance(boot.gpt, GuidPartitionTable) else None


def test_a_uki_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"  # the name does not matter
    path.write_bytes(UKI)
    assert _booted(path) == (ArtifactKind.UKI, UKI, None)


def test_the_uki_of_a_raw_disk(raw: Path) -> None:
    assert _booted(raw) == (ArtifactKind.RAW, UKI, UUID(made.DISK_GUID))


@pytest.mark.parametrize("options", [[], ["-S"]])
def test_the_uki_of_an_archive(raw: Path, options: list[str]) -> None:
    assert _booted(_archive(raw, *options)) == (ArtifactKind.TAR_GZ, UKI, UUID(made.DISK_GUID))


def test_the_uki_of_a_vhd(raw: Path) -> None:
    path = vhd.convert(raw, "subformat=fixed,force_size=on")
    assert _booted(path) == (ArtifactKind.VHD, UKI, UUID(made.DISK_GUID))


def _fragmented(tmp_path: Path) -> Path:
    """A disk whose free space is in pieces, so that mcopy has to split the UKI."""
    holes = {f"hole{index}": bytes(30_000) for index in range(40)}
    path = made.make_disk(tmp_path / "disk.raw", {**holes, "rest": b""})
    listing = made.run("mdir", "-i", f"{path}@@{made.ESP_START}", "::").decode()
    free = int(listing.rsplit("bytes free", 1)[0].split("\n")[-1].replace(" ", ""))
    made.put(path, "rest", bytes(free - 4096), start=made.ESP_START)
    for name in sorted(holes, reverse=True)[::2]:
        made.delete(path, name, start=made.ESP_START)
    made.put(path, BOOT, UKI, start=made.ESP_START)
    return path


def test_a_uki_in_pieces(tmp_path: Path) -> None:
    path = _fragmented(tmp_path)
    with open_disk(path) as disk:
        file = disk.volume.find(disks.BOOT_PATH)
        assert file is not None
        assert len(disk.volume.extents(file)) > 5
    assert _booted(path)[1] == UKI
    assert _booted(_archive(path, "-S"))[1] == UKI


def test_pieces_in_any_order_of_the_disk(tmp_path: Path) -> None:
    """The cluster chain turned round by hand: later pieces of the file come first on the disk."""
    path = made.make_disk(tmp_path / "disk.raw", {BOOT: UKI})
    with open_disk(path) as disk:
        volume, file = disk.volume, disk.volume.find(disks.BOOT_PATH)
        assert file is not None
        assert volume.kind.value == 16
        count = -(-len(UKI) // volume.cluster_bytes)
        clusters = list(range(file.first_cluster, file.first_cluster + count))[::-1]
        entry, start, size = file.offset, volume.data_offset, volume.cluster_bytes
        table = volume.start + 512 * int.from_bytes(_at(path, volume.start + 14, 2), "little")
    data = bytearray(path.read_bytes())
    for index, cluster in enumerate(clusters):
        place = start + (cluster - 2) * size
        data[place : place + size] = UKI[index * size : (index + 1) * size].ljust(size, b"\0")
    for here, there in [*pairwise(clusters), (clusters[-1], 0xFFFF)]:
        data[table + 2 * here : table + 2 * here + 2] = there.to_bytes(2, "little")
    data[entry + 26 : entry + 28] = clusters[0].to_bytes(2, "little")
    path.write_bytes(data)
    assert made.get(path, BOOT, start=made.ESP_START) == UKI
    assert _booted(path)[1] == UKI
    assert _booted(_archive(path))[1] == UKI


def _at(path: Path, offset: int, size_bytes: int) -> bytes:
    with path.open("rb") as stream:
        stream.seek(offset)
        return stream.read(size_bytes)


def test_a_gathered_uki_is_bounded(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "MAX_GATHERED_BYTES", len(UKI) - 1)
    message = f"BOOTX64.EFI: has {len(UKI)} bytes; in pieces or from an archive, at most {len(UKI) - 1} are read"
    with pytest.raises(UnsupportedInputError, match=message):
        _booted(_archive(raw))
    assert _booted(raw)[1] == UKI


def test_a_huge_hostile_file_of_zeros_takes_no_memory(tmp_path: Path) -> None:
    """Its size field says 300 MiB, and its clusters are in several pieces, so that it cannot be mapped."""
    path = made.make_disk(tmp_path / "disk.raw", {BOOT: bytes(300 * MIB)}, size_bytes=1024 * MIB)
    with open_disk(path) as disk:
        volume, file = disk.volume, disk.volume.find(disks.BOOT_PATH)
        assert file is not None
        assert volume.kind.value == 32
        table = volume.start + 512 * int.from_bytes(_at(path, volume.start + 14, 2), "little")
        first = file.first_cluster
    with path.open("r+b") as stream:
        stream.seek(table + 4 * (first + 5))
        stream.write((first + 7).to_bytes(4, "little"))
        stream.seek(table + 4 * (first + 300 * MIB // volume.cluster_bytes - 1))
        stream.write(volume.last_cluster.to_bytes(4, "little"))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with (
        pytest.raises(MalformedInputError, match="DOS signature at offset 0x0: expected 'MZ'"),
        bounded_reading(320 * MIB),  # the file once, and the volume's structures
        bounded_calls(3_000_000),  # a few for each cluster
    ):
        _booted(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 128 << 10


def test_a_sparse_disk_of_30_gib_is_read_where_its_uki_is(tmp_path: Path) -> None:
    made.make_disk(tmp_path / "disk.raw", {BOOT: UKI})
    path = vhd.empty(tmp_path / "large.vhd", 30 * GIB)
    with path.open("r+b") as stream:
        stream.write((tmp_path / "disk.raw").read_bytes())
        stream.seek(30 * GIB)
        stream.write(vhd.footer(30 * GIB))
    with bounded_reading(4 * MIB), bounded_calls(100_000):
        assert _booted(path)[:2] == (ArtifactKind.VHD, UKI)


@pytest.mark.parametrize(
    ("beside", "name", "shared"),
    [
        ("EFI/BOOT/BOOTX64.EFI.extra.d/evil.addon.efi", "evil.addon.efi", False),
        ("efi/boot/bootx64.efi.EXTRA.D/x.cred", "x.cred", False),
        ("loader/addons/more.addon.efi", "more.addon.efi", True),
        ("loader/credentials/secret.CRED", "secret.CRED", True),
        ("loader/extensions/x.confext.raw", "x.confext.raw", True),
    ],
)
def test_what_the_stub_takes_up_is_read_with_its_content(tmp_path: Path, beside: str, name: str, shared: bool) -> None:  # noqa: FBT001
    path = made.make_disk(tmp_path / "disk.raw", {BOOT: UKI, beside: b"x", "loader/addons/passed-over.txt": b"y"})
    with open_boot_artifact(path) as boot:
        assert boot.companions == (Companion(name, b"x", shared=shared),)
    with (
        open_disk(path) as disk,
        pytest.raises(UnsupportedInputError, match="beside the UKI in the EFI system partition: systemd-stub loads it"),
        open_boot_file(disk),
    ):
        pass


def test_what_the_stub_passes_over_is_not_read(tmp_path: Path) -> None:
    files = {"loader/addons/x.cred": b"x", "loader/addons/.h.addon.efi": b"x", "loader/credentials/x.raw": b"x"}
    path = made.make_disk(tmp_path / "disk.raw", {BOOT: UKI, **files})
    with open_boot_artifact(path) as boot:
        assert boot.companions == ()


def test_a_disk_that_firmware_keeps_its_variables_on_is_refused(tmp_path: Path) -> None:
    path = made.make_disk(tmp_path / "disk.raw", {BOOT: UKI, "NvVars": b"x"})
    with pytest.raises(UnsupportedInputError, match="NvVars in the EFI system partition: firmware takes its variables"):
        _booted(path)


def test_a_disk_without_a_uki(tmp_path: Path) -> None:
    path = made.make_disk(tmp_path / "disk.raw", {"EFI/BOOT/GRUBX64.EFI": b"MZ"})
    with pytest.raises(
        UnsupportedInputError, match=r"disk.raw, EFI/BOOT/BOOTX64.EFI: no such file in the EFI system partition"
    ):
        _booted(path)
    made.put(path, BOOT, b"", start=made.ESP_START)
    with pytest.raises(UnsupportedInputError, match=r"BOOTX64.EFI: has 0 bytes, which is not a UKI"):
        _booted(path)
    made.put(path, BOOT, b"not a PE image", start=made.ESP_START)
    with pytest.raises(MalformedInputError, match=r"disk.raw, EFI/BOOT/BOOTX64.EFI: DOS signature at offset 0x0"):
        _booted(path)


def _with(raw: Path, tmp_path: Path, data: bytes | bytearray) -> Path:
    path = tmp_path / "changed.raw"
    path.write_bytes(data)
    assert path.stat().st_size <= raw.stat().st_size
    return path


def test_a_disk_without_a_protective_mbr(raw: Path, tmp_path: Path) -> None:
    data = bytearray(raw.read_bytes())
    data[446 + 4] = 0x83
    with pytest.raises(MalformedInputError, match="disk: protective MBR at offset 0x1be: no partition of type 0xee"):
        _booted(_with(raw, tmp_path, data))
    data[446 + 4], data[446 + 8] = 0xEE, 2
    with pytest.raises(MalformedInputError, match="protective MBR"):
        _booted(_with(raw, tmp_path, data))


ESP = "type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
LINUX = "type=0FC63DAF-8483-4772-8E79-3D69D8477DE4"


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ([f"start=2048, size=20480, {LINUX}"], 0),
        ([f"start=2048, size=20480, {ESP}", f"start=40960, size=20480, {ESP}"], 2),
    ],
)
def test_one_system_partition_is_expected(tmp_path: Path, rows: list[str], count: int) -> None:
    path = made.make_disk(tmp_path / "disk.raw", {}, script="label: gpt\n" + "\n".join(rows) + "\n")
    with pytest.raises(UnsupportedInputError, match=f"the disk has {count} EFI system partitions, expected one"):
        _booted(path)


def test_partitions_outside_the_disk_or_its_usable_part(raw: Path, tmp_path: Path) -> None:
    data = raw.read_bytes()
    with pytest.raises(
        UnsupportedInputError, match=r"partition 0{8}-.* \(esp\): LBA 2048 to 129023 are not in the usable part"
    ):
        _booted(_with(raw, tmp_path, data[: 40 * MIB]))
    with pytest.raises(UnsupportedInputError, match="are not in the usable part of the disk"):
        _booted(_with(raw, tmp_path, patched(data, 48, "Q", 100_000)))
    with pytest.raises(UnsupportedInputError, match="a disk of 67108764 bytes, expected whole sectors of 512"):
        _booted(_with(raw, tmp_path, data[:-100]))


def test_partitions_that_overlap(tmp_path: Path) -> None:
    script = f"label: gpt\nstart=2048, size=20480, {ESP}\nstart=40960, size=20480, {LINUX}, name=root\n"
    path = made.make_disk(tmp_path / "disk.raw", {BOOT: UKI}, script=script)
    data = bytearray(path.read_bytes())
    entry = 1024 + 128
    data[entry + 32 : entry + 40] = (22_527).to_bytes(8, "little")
    fixed = _entries_crc(data)
    with pytest.raises(
        UnsupportedInputError, match=r"\(root\): overlaps the partition before it, which ends at LBA 22527"
    ):
        _booted(_with(path, tmp_path, fixed))


def _entries_crc(data: bytearray) -> bytes:
    return patched(bytes(data), 88, "I", zlib.crc32(data[1024 : 1024 + 128 * 128]))


def test_the_volume_must_fit_its_partition(raw: Path, tmp_path: Path) -> None:
    data = bytearray(raw.read_bytes())
    start = made.ESP_START
    data[start + 19 : start + 21], data[start + 32 : start + 36] = bytes(2), (1 << 30).to_bytes(4, "little")
    with pytest.raises(MalformedInputError, match="FAT: total sectors at offset 0x100020: 0x40000000"):
        _booted(_with(raw, tmp_path, data))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"x" * 2000, "is neither a UKI .* nor a disk image"),
        (b"QFI\xfb", "qcow2: header at offset 0x0: is truncated"),
        (b"KDMV", "is a VMDK disk"),
        (b"vhdxfile", "VHDX: header at offset 0x10000: neither copy has a valid checksum"),
        (b"\xfd7zXZ\0" + bytes(99), "xz.: compressed data at offset 0x69"),
        (b"\x28\xb5\x2f\xfd" + bytes(99), "zstd.: compressed data at offset 0x67: ends before its end mark"),
        (b"BZh9" + bytes(99), "bzip2.: compressed data at offset 0x67"),
        (b"conectix" + bytes(2000), "dynamic VHD: footer at offset 0x5d8: is not as the copy of it"),
        (bytes(512) + b"EFI PART" + bytes(504), "protective MBR"),
        (bytes(512) + b"conectix" + bytes(504), "VHD footer: checksum"),
        (b"\x1f\x8b", "ends before its checksum"),
    ],
)
def test_files_that_are_nothing_to_boot(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(TeekitError, match=message):
        _booted(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="cannot be read: No such file"):
        recognise(tmp_path / "none")
    with pytest.raises(TeekitError, match="cannot be read: Is a directory"):
        recognise(tmp_path)
    (tmp_path / "image.efi").write_bytes(UKI)
    with (
        pytest.raises(UnsupportedInputError, match="is a UKI, expected a disk image"),
        open_disk(tmp_path / "image.efi"),
    ):
        pass


def test_an_archive_is_read_to_its_end(raw: Path) -> None:
    """The UKI is long read when the wrong checksum comes."""
    path = _archive(raw)
    data = bytearray(path.read_bytes())
    data[-8] ^= 1
    path.write_bytes(data)
    with pytest.raises(MalformedInputError, match="incorrect data check"):
        _booted(path)


def test_a_cut_disk_does_not_crash_a_map(tmp_path: Path) -> None:
    """The partition is inside the file, but the file's clusters are said to be beyond it."""
    path = made.make_disk(tmp_path / "disk.raw", {BOOT: UKI})
    with open_disk(path) as disk:
        file = disk.volume.find(disks.BOOT_PATH)
        assert file is not None
        os.truncate(path, disk.volume.extents(file)[0].start + 1000)
        with (
            pytest.raises(MalformedInputError, match=r"disk: file content at offset .* is beyond the end of the disk"),
            open_boot_file(disk),
        ):
            pass
