from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders.tools import require
from teekit_verify.boot import layout
from teekit_verify.boot.disk import geometry, make_disk
from teekit_verify.boot.layout import GIB, MIB, Geometry
from teekit_verify.core.errors import UnsupportedInputError

if TYPE_CHECKING:
    from pathlib import Path

UKI_BYTES = 3 * MIB + 17


@pytest.fixture
def uki(tmp_path: Path) -> Path:
    path = tmp_path / "image.efi"
    path.write_bytes(bytes(range(256)) * (UKI_BYTES // 256) + b"x" * (UKI_BYTES % 256))
    return path


def _made(uki: Path, name: str, **sizes: int) -> Path:
    for program in ("sfdisk", "mformat", "mmd", "mcopy"):
        require(program)
    image = uki.with_name(name)
    make_disk(uki, image, geometry(uki.stat().st_size, **sizes))
    return image


@pytest.mark.parametrize(
    ("uki_bytes", "sizes", "expected"),
    [
        (1, {}, Geometry(272 * MIB, 274 * MIB)),
        (256 * MIB, {}, Geometry(272 * MIB, 274 * MIB)),
        (256 * MIB + 1, {}, Geometry(273 * MIB, 275 * MIB)),
        (100 * MIB, {"multiple_bytes": GIB}, Geometry(272 * MIB, GIB)),
        (1006 * MIB, {"multiple_bytes": GIB}, Geometry(1022 * MIB, GIB)),
        (1006 * MIB + 1, {"multiple_bytes": GIB}, Geometry(1023 * MIB, 2 * GIB)),
        (100 * MIB, {"disk_bytes": 30 * GIB}, Geometry(272 * MIB, 30 * GIB)),
    ],
)
def test_geometry(uki_bytes: int, sizes: dict[str, int], expected: Geometry) -> None:
    assert geometry(uki_bytes, **sizes) == expected


@pytest.mark.parametrize(
    ("uki_bytes", "disk_bytes", "message"),
    [
        (0, None, "a UKI of 0 bytes does not fit into a FAT32 file system"),
        (4 * GIB, None, "a UKI of 4294967296 bytes does not fit"),
        (1, 273 * MIB, "a disk of 286261248 bytes for a UKI of 1: expected a multiple of 1 MiB, at least 287309824"),
        (1, GIB + 512, "expected a multiple of 1 MiB"),
    ],
)
def test_geometry_that_cannot_be(uki_bytes: int, disk_bytes: int | None, message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=message):
        geometry(uki_bytes, disk_bytes=disk_bytes)


@given(st.integers(min_value=1, max_value=4 * GIB - 1), st.sampled_from([MIB, GIB]))
def test_the_uki_fits_beside_both_fats(uki_bytes: int, multiple_bytes: int) -> None:
    """FAT32: 4 bytes a cluster and FAT, two FATs; clusters for the UKI, the root and two folders (Microsoft's fatgen103)."""
    layout = geometry(uki_bytes, multiple_bytes=multiple_bytes)
    clusters = layout.esp_bytes // 4096
    fats_bytes = 2 * 4 * (clusters + 2) + 2 * 512
    assert 32 * 512 + fats_bytes + uki_bytes + 4096 + 3 * 4096 <= layout.esp_bytes
    assert clusters - 32 * 512 // 4096 - fats_bytes // 4096 - 2 >= 65525
    assert layout.disk_bytes % multiple_bytes == 0
    assert layout.esp_bytes + 2 * MIB <= layout.disk_bytes < layout.esp_bytes + 2 * MIB + multiple_bytes


def test_sfdisk_reads_the_table_as_documented(uki: Path) -> None:
    image = _made(uki, "disk.raw", multiple_bytes=GIB)
    output = subprocess.run([require("sfdisk"), "--json", image], capture_output=True, check=True).stdout
    table = json.loads(output)["partitiontable"]
    assert (table["label"], table["id"], table["firstlba"]) == ("gpt", layout.DISK_GUID, 2048)
    assert table["lastlba"] == GIB // 512 - 34
    (esp,) = table["partitions"]
    esp.pop("node")
    assert esp == {
        "start": 2048,
        "size": 272 * MIB // 512,
        "type": "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
        "uuid": layout.ESP_GUID,
        "name": "esp",
    }
    assert subprocess.run([require("sfdisk"), "--verify", image], check=False, capture_output=True).returncode == 0


def test_the_esp_is_sound_and_holds_the_uki(uki: Path, tmp_path: Path) -> None:
    image = _made(uki, "disk.raw")
    esp = tmp_path / "esp.img"
    with image.open("rb") as whole, esp.open("wb") as part:
        whole.seek(MIB)
        part.write(whole.read(272 * MIB))
    checked = subprocess.run([require("fsck.fat"), "-n", "-v", esp], capture_output=True, text=True, check=True).stdout
    assert "32 bits per FAT" in checked or "FATs, 32 bit entries" in checked
    copied = subprocess.run(
        [require("mtype"), "-i", f"{image}@@1M", "::EFI/BOOT/BOOTX64.EFI"], capture_output=True, check=True
    ).stdout
    assert copied == uki.read_bytes()


def test_the_image_is_sparse_and_the_same_wherever_it_is_made(uki: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _made(uki, "first.raw")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    uki.touch()
    second = _made(uki, "second.raw")
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_blocks * 512 < 2 * UKI_BYTES


def test_an_image_is_never_overwritten(uki: Path, tmp_path: Path) -> None:
    image = _made(uki, "disk.raw")
    with pytest.raises(FileExistsError):
        make_disk(uki, image, geometry(UKI_BYTES))
