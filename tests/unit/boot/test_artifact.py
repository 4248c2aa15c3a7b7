from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from builders.tools import require
from builders.uki import build_uki
from teekit_verify.artifacts.gpt import GuidPartitionTable
from teekit_verify.boot.artifact import bootable
from teekit_verify.boot.disk import geometry, make_disk
from teekit_verify.boot.layout import DISK_GUID, MIB
from teekit_verify.core.errors import TeekitError, UnsupportedInputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def uki(tmp_path: Path) -> Path:
    for program in ("sfdisk", "mformat", "mmd", "mcopy"):
        require(program)
    path = tmp_path / "image.efi"
    path.write_bytes(build_uki())
    return path


def test_a_uki_gets_a_disk_of_its_own(uki: Path) -> None:
    with bootable(uki) as booted:
        assert booted.uki == uki
        assert isinstance(booted.gpt, GuidPartitionTable)
        assert str(booted.gpt.disk_guid).upper() == DISK_GUID
        disk = booted.disk
        copied = subprocess.run(
            [require("mtype"), "-i", f"{disk}@@1M", "::EFI/BOOT/BOOTX64.EFI"], capture_output=True, check=True
        ).stdout
        assert copied == uki.read_bytes()
    assert not disk.exists()


def test_the_uki_of_a_disk_is_found_in_its_esp(uki: Path, image: Path) -> None:
    with bootable(image) as booted:
        assert booted.disk == image
        assert booted.uki.read_bytes() == uki.read_bytes()
        extracted = booted.uki
    assert image.exists()
    assert not extracted.exists()


@pytest.fixture
def image(uki: Path, tmp_path: Path) -> Path:
    image = tmp_path / "disk.raw"
    make_disk(uki, image, geometry(uki.stat().st_size))
    return image


def test_an_archive_is_unpacked_to_the_same_disk(uki: Path, image: Path, tmp_path: Path) -> None:
    path = tmp_path / "image.tar.gz"
    argv = [require("tar"), "--format=oldgnu", "-C", str(tmp_path), "-Sczf", str(path), "disk.raw"]
    subprocess.run(argv, check=True)
    _same_disk(path, uki, image)


def test_a_vhd_is_copied_without_its_footer(uki: Path, image: Path, tmp_path: Path) -> None:
    path = tmp_path / "image.vhd"
    argv = [require("qemu-img"), "convert", "-O", "vpc", "-o", "subformat=fixed,force_size=on", str(image), str(path)]
    subprocess.run(argv, check=True)
    assert path.stat().st_size == image.stat().st_size + 512
    _same_disk(path, uki, image)


def _same_disk(path: Path, uki: Path, image: Path) -> None:
    with bootable(path) as booted:
        assert booted.uki.read_bytes() == uki.read_bytes()
        assert isinstance(booted.gpt, GuidPartitionTable)
        assert str(booted.gpt.disk_guid).upper() == DISK_GUID
        assert booted.disk.read_bytes() == image.read_bytes()
        assert booted.disk.stat().st_blocks * 512 < image.stat().st_size // 2
        copied = booted.disk
    assert not copied.exists()


def test_what_is_neither_uki_nor_disk(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(b"PK" + bytes(5000))
    with (
        pytest.raises(UnsupportedInputError, match=r"is neither a UKI .* nor a disk image"),
        bootable(path),
    ):
        pass


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="none: cannot be read: No such file"), bootable(tmp_path / "none"):
        pass


@pytest.mark.parametrize(("types", "found"), [(["linux"], 0), (["uefi", "uefi"], 2)])
def test_a_disk_without_its_one_esp(tmp_path: Path, types: list[str], found: int) -> None:
    image = tmp_path / "disk.raw"
    with image.open("wb") as stream:
        stream.truncate(16 * MIB)
    script = "label: gpt\n" + "".join(f"size=4MiB, type={name}\n" for name in types)
    sfdisk = [require("sfdisk"), "--quiet", "--no-reread", "--no-tell-kernel", str(image)]
    subprocess.run(sfdisk, input=script.encode(), check=True)
    with (
        pytest.raises(UnsupportedInputError, match=f"the disk has {found} EFI system partitions, expected one"),
        bootable(image),
    ):
        pass
