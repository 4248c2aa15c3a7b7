"""FAT volumes against mtools and dosfstools: sizes, cluster sizes, fragments, long names; and hostile ones."""

from __future__ import annotations

import random
import struct
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from builders import fat as made
from builders.work import bounded_calls
from teekit_verify.artifacts.fat import FatKind, FatVolume, open_fat
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = made.MIB
CONTENT = random.Random(7).randbytes(300_001)  # noqa: S311 - test data
BOOT = ("EFI", "BOOT", "BOOTX64.EFI")


def _read(volume: FatVolume, *path: str) -> bytes:
    file = volume.find(path)
    assert file is not None
    pieces = []
    for extent in volume.extents(file):
        volume.stream.seek(extent.start)
        pieces.append(volume.stream.read(extent.size_bytes))
    return b"".join(pieces)


@contextmanager
def _mounted(path: Path) -> Iterator[FatVolume]:
    with path.open("rb") as stream:
        yield open_fat(stream, 0, path.stat().st_size)


@pytest.mark.parametrize(
    ("size_bytes", "options", "kind"),
    [
        (MIB, [], FatKind.FAT12),
        (2 * MIB, ["-s", "1"], FatKind.FAT12),
        (8 * MIB, ["-F", "16", "-s", "2"], FatKind.FAT16),
        (16 * MIB, [], FatKind.FAT16),
        (33 * MIB, ["-F", "32", "-s", "1"], FatKind.FAT32),
        (64 * MIB, ["-S", "4096", "-F", "16"], FatKind.FAT16),
        (512 * MIB, ["-F", "16", "-s", "64"], FatKind.FAT16),
        (512 * MIB, [], FatKind.FAT32),
        (512 * MIB, ["-F", "32", "-s", "8", "-f", "1"], FatKind.FAT32),
    ],
)
def test_a_file_is_found_in_volumes_of_every_kind(
    tmp_path: Path, size_bytes: int, options: list[str], kind: FatKind
) -> None:
    path = made.make_volume(tmp_path / "esp.img", size_bytes, *options)
    made.put(path, "EFI/BOOT/BOOTX64.EFI", CONTENT)
    checked = made.run("fsck.fat", "-n", "-v", str(path)).decode()
    assert f"{kind.value} bit" in checked.replace("bits", "bit")
    with _mounted(path) as volume:
        assert volume.kind is kind
        assert f"{volume.cluster_bytes} bytes per cluster" in checked
        assert f"{volume.last_cluster - 1} clusters" in checked.replace(" data clusters", " clusters")
        assert _read(volume, *BOOT) == CONTENT
        assert len(volume.extents(volume.find(BOOT) or pytest.fail("not found"))) == 1


@pytest.mark.parametrize(
    ("options", "size_bytes"),
    [(["-h", "2", "-s", "18", "-t", "80"], 2880 * 512), (["-F", "-T", "200000", "-c", "1"], 200000 * 512)],
)
def test_a_volume_of_mformat(tmp_path: Path, options: list[str], size_bytes: int) -> None:
    path = tmp_path / "esp.img"
    with path.open("wb") as stream:
        stream.truncate(size_bytes)
    made.run("mformat", "-i", str(path), *options, "::")
    made.put(path, "EFI/BOOT/BOOTX64.EFI", CONTENT)
    with _mounted(path) as volume:
        assert _read(volume, "efi", "boot", "bootx64.efi") == CONTENT


@pytest.mark.parametrize("options", [["-F", "12", "-s", "1"], ["-F", "16", "-s", "1"], ["-F", "32", "-s", "1"]])
def test_fragments_are_joined_in_file_order(tmp_path: Path, options: list[str]) -> None:
    size = 36 * MIB if "32" in options else 2 * MIB if "12" in options else 8 * MIB
    path = made.make_volume(tmp_path / "esp.img", size, *options)
    names = [f"hole{index}" for index in range(40)]
    for name in names:
        made.put(path, name, bytes(1500))
    free = int(
        made.run("mdir", "-i", str(path), "::").decode().rsplit("bytes free", 1)[0].split("\n")[-1].replace(" ", "")
    )
    made.put(path, "last", bytes(max(1, free - 1024)))
    for name in names[::2]:
        made.delete(path, name)
    content = CONTENT[:20_000]
    made.put(path, "pieces.bin", content)
    with _mounted(path) as volume:
        file = volume.find(("PIECES.BIN",))
        assert file is not None
        assert len(volume.extents(file)) > 5
        assert _read(volume, "pieces.bin") == content == made.get(path, "pieces.bin")


def test_names_are_those_mtools_wrote(tmp_path: Path) -> None:
    path = made.make_volume(tmp_path / "esp.img", 8 * MIB)
    names = [
        "BOOTX64.EFI.extra.d/a long name with spaces.cred",
        "lower.txt",
        "UPPER.TXT",
        "Grüße.efi",
        "x" * 200 + ".addon.efi",
    ]
    for name in names:
        made.put(path, name, name.encode())
    with _mounted(path) as volume:
        listed = [name for name, entry in volume.walk(100) if not entry.is_directory]
        assert sorted(listed) == sorted(names)
        for name in names:
            assert _read(volume, *name.upper().split("/")) == name.encode()
        entry = volume.find(("BOOTX64.EFI.extra.d",))
        assert entry is not None
        assert (entry.is_directory, entry.short_name) == (True, "BOOTX6~1.D")
        assert volume.find(("bootx6~1.d",)) == entry
        assert volume.find(("missing",)) is None
        assert volume.find(("UPPER.TXT", "inside")) is None
        assert volume.find(("BOOTX64.EFI",)) is None


def test_a_large_directory_and_deleted_files(tmp_path: Path) -> None:
    path = made.make_volume(tmp_path / "esp.img", 8 * MIB, "-s", "1")
    for index in range(60):
        made.put(path, f"many/a rather long name number {index}.txt", b"x")
    made.delete(path, "many/a rather long name number 7.txt")
    with _mounted(path) as volume:
        folder = volume.find(("many",))
        names = {entry.name for entry in volume.entries(folder)}
        assert names == {f"a rather long name number {index}.txt" for index in range(60) if index != 7}
        assert next(name for name, _ in volume.walk(5)) == "many"
        assert len(list(volume.walk(5))) == 5


def test_an_empty_file_has_no_extents(tmp_path: Path) -> None:
    path = made.make_volume(tmp_path / "esp.img", MIB)
    made.put(path, "empty", b"")
    with _mounted(path) as volume:
        assert volume.extents(volume.find(("empty",)) or pytest.fail("not found")) == ()


def test_a_long_name_that_does_not_belong_to_its_short_name_is_left_out(tmp_path: Path) -> None:
    path = made.make_volume(tmp_path / "esp.img", MIB)
    made.put(path, "a long name.txt", b"x")
    data = bytearray(path.read_bytes())
    place = data.index(b"ALONGN~1TXT")
    data[place : place + 11] = b"BLONGN~1TXT"
    path.write_bytes(data)
    with _mounted(path) as volume:
        assert [entry.name for entry in volume.entries()] == ["BLONGN~1.TXT"]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A FAT16 with clusters of 512 bytes and a file of 6 clusters."""
    path = made.make_volume(
        tmp_path_factory.mktemp("fat") / "esp.img", 4 * MIB, "-F", "16", "-s", "1", "-R", "1", "-f", "1"
    )
    made.put(path, "EFI/BOOT/BOOTX64.EFI", CONTENT[:3000])
    return path.read_bytes()


@pytest.fixture(scope="module")
def small32(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = made.make_volume(tmp_path_factory.mktemp("fat") / "esp.img", 34 * MIB, "-F", "32", "-s", "1")
    made.put(path, "EFI/BOOT/BOOTX64.EFI", CONTENT[:3000])
    return path.read_bytes()


def _refused(
    tmp_path: Path, data: bytes | bytearray, message: str, error: type[TeekitError] = MalformedInputError
) -> None:
    path = tmp_path / "bad.img"
    path.write_bytes(data)
    with pytest.raises(error, match=message):
        _read_all(path)


def _read_all(path: Path) -> None:
    """Everything but the content of files."""
    with _mounted(path) as volume:
        for _, entry in volume.walk(1000):
            volume.entries(entry) if entry.is_directory else volume.extents(entry)
        volume.find(BOOT)


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (11, "H", 513, "sector size at offset 0xb: 0x201"),
        (11, "H", 0, "sector size"),
        (13, "B", 0, "cluster size at offset 0xd: 0x0"),
        (13, "B", 3, "cluster size"),
        (14, "H", 0, "reserved sectors"),
        (16, "B", 0, "number of FATs"),
        (17, "H", 0, "root directory entries"),
        (19, "H", 0, "total sectors at offset 0x20"),
        (19, "H", 8193, "total sectors at offset 0x13: 0x2001"),
        (19, "H", 20, "cluster count at offset 0x0: -"),
        (21, "B", 0x42, "media type"),
        (22, "H", 0, "file system version at offset 0x2a"),
        (22, "H", 3, "FAT size at offset 0x16: 3 sectors do not hold"),
    ],
)
def test_boot_sectors_that_cannot_be(  # noqa: PLR0917
    tmp_path: Path, small: bytes, offset: int, layout: str, value: int, message: str
) -> None:
    changed = bytearray(small)
    struct.pack_into("<" + layout, changed, offset, value)
    _refused(tmp_path, changed, message)


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (36, "I", 0, "FAT size at offset 0x24"),
        (40, "H", 0x80, "mirroring flags"),
        (42, "H", 1, "file system version"),
        (44, "I", 0, "root directory cluster chain at offset 0x0: 0x0 is not a cluster"),
        (44, "I", 0x0FFFFFFF, "root directory cluster chain"),
        (13, "B", 8, "cluster count at offset 0x0: .* do not fit a FAT32"),
    ],
)
def test_fat32_boot_sectors_that_cannot_be(  # noqa: PLR0917
    tmp_path: Path, small32: bytes, offset: int, layout: str, value: int, message: str
) -> None:
    changed = bytearray(small32)
    struct.pack_into("<" + layout, changed, offset, value)
    _refused(tmp_path, changed, message)


def _entry_offset(data: bytes, name: bytes) -> int:
    return data.index(name)


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ([5, 6, 5], "file BOOTX64.EFI cluster chain at offset 0x[0-9a-f]+: loops back to cluster 0x5"),
        ([5, 6, 0], "file BOOTX64.EFI cluster chain at offset 0x[0-9a-f]+: 0x0 is not a cluster .* after 2"),
        ([5, 6, 1], "0x1 is not a cluster"),
        ([5, 6, 0xFFFF], "0xffff is not a cluster"),
        ([5, 6, 0xFFF0], "0xfff0 is not a cluster"),
    ],
)
def test_cluster_chains_that_cannot_be(tmp_path: Path, small: bytes, chain: list[int], message: str) -> None:
    changed = bytearray(small)
    table = 512
    entry = _entry_offset(small, b"BOOTX64 EFI")
    struct.pack_into("<H", changed, entry + 26, chain[0])
    for here, there in pairwise(chain):
        struct.pack_into("<H", changed, table + 2 * here, there)
    _refused(tmp_path, changed, message)


def test_directories_that_cannot_be(tmp_path: Path, small: bytes) -> None:
    folder = _entry_offset(small, b"EFI        ")
    cluster = struct.unpack_from("<H", small, folder + 26)[0]
    looped = bytearray(small)
    struct.pack_into("<H", looped, 512 + 2 * cluster, cluster)
    _refused(tmp_path, looped, "directory EFI cluster chain at offset 0x[0-9a-f]+: loops back to cluster")
    endless = bytearray(small)
    for index in range(cluster, 7000):
        struct.pack_into("<H", endless, 512 + 2 * index, index + 1)
    _refused(tmp_path, endless, "a directory has at most 4096 clusters here")
    empty = bytearray(small)
    struct.pack_into("<H", empty, folder + 26, 0)
    _refused(tmp_path, empty, "directory EFI cluster chain at offset 0x[0-9a-f]+: 0x0 is not a cluster")


def test_a_folder_inside_itself_ends(tmp_path: Path, small: bytes) -> None:
    changed = bytearray(small)
    inner, outer = _entry_offset(small, b"BOOT       "), _entry_offset(small, b"EFI        ")
    changed[inner + 26 : inner + 28] = small[outer + 26 : outer + 28]
    path = tmp_path / "bad.img"
    path.write_bytes(changed)
    with _mounted(path) as volume:
        assert [name.count("/") for name, _ in volume.walk(1000)] == list(range(17))


def test_a_file_larger_than_its_volume(tmp_path: Path, small: bytes) -> None:
    changed = bytearray(small)
    struct.pack_into("<I", changed, _entry_offset(small, b"BOOTX64 EFI") + 28, 0xFFFFFFFF)
    _refused(
        tmp_path, changed, "file BOOTX64.EFI size at offset .*: 4294967295 bytes are more than the file system has"
    )


def test_two_entries_of_one_name_are_refused(tmp_path: Path) -> None:
    path = made.make_volume(tmp_path / "esp.img", MIB)
    made.put(path, "EFI/BOOT/BOOTX64.EFI", b"one")
    made.put(path, "EFI/BOOT/BOOTX65.EFI", b"two")
    _refused(
        tmp_path,
        path.read_bytes().replace(b"BOOTX65 EFI", b"BOOTX64 EFI"),
        "a second entry called EFI/BOOT/BOOTX64.EFI",
    )


@pytest.mark.parametrize("size_bytes", [0, 11, 100, 511, 600, 33_200, 33_600])
def test_a_cut_volume(tmp_path: Path, small: bytes, size_bytes: int) -> None:
    path = tmp_path / "cut.img"
    path.write_bytes(small[:size_bytes])
    with pytest.raises(MalformedInputError, match=r"needs \d+ bytes, \d+ are left"), path.open("rb") as stream:
        list(open_fat(stream, 0, len(small)).walk(10))


def test_a_table_too_large_is_refused(tmp_path: Path) -> None:
    path = made.make_volume(tmp_path / "huge.img", 40 << 30, "-F", "32", "-s", "8")
    with pytest.raises(UnsupportedInputError, match="at most 33554432 are read"), path.open("rb") as stream:
        open_fat(stream, 0, 40 << 30)


def test_changed_bytes_of_the_structures_give_our_error_or_files(small: bytes, tmp_path: Path) -> None:
    """Boot sector, FAT and directories changed at random, many times: nothing but TeekitError, and not much work."""
    chance = random.Random(11)  # noqa: S311 - test data
    path = tmp_path / "bad.img"
    refused = 0
    for _ in range(300):
        changed = bytearray(small)
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(64) if chance.random() < 0.3 else chance.randrange(512, 36_000)
            changed[place] = chance.randrange(256)
        path.write_bytes(changed)
        with suppress(TeekitError), bounded_calls(100_000):
            refused += 1
            _read_all(path)
            refused -= 1
    assert 30 < refused < 300
