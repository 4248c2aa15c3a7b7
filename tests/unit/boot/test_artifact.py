from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from builders.tools import require
from builders.uki import build_uki
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
        assert str(booted.gpt.disk_guid).upper() == DISK_GUID
        disk = booted.disk
        copied = subprocess.run(
            [require("mtype"), "-i", f"{disk}@@1M", "::EFI/BOOT/BOOTX64.EFI"], capture_output=True, check=True
        ).stdout
        assert copied == uki.read_bytes()
    assert not disk.exists()


def test_the_uki_of_a_disk_is_found_in_its_esp(uki: Path, tmp_path: Path) -> None:
    image = tmp_path / "disk.raw"
    make_disk(uki, image, geometry(uki.stat().st_size))
    with bootable(image) as booted:
        assert booted.disk == image
        assert booted.uki.read_bytes() == uki.read_bytes()
        extracted = booted.uki
    assert image.exists()
    assert not extracted.exists()


def test_what_is_neither_uki_nor_disk(tmp_path: Path) -> None:
    path = tmp_path / "archive.tar.gz"
    path.write_bytes(b"\x1f\x8b" + bytes(5000))
    with (
        pytest.raises(UnsupportedInputError, match=r"is neither a UKI nor a raw disk with a GPT \(GPT: signature"),
        bootable(path),
    ):
        pass


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match=r"cannot read .*none: No such file"), bootable(tmp_path / "none"):
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
        pytest.raises(UnsupportedInputError, match=f"expected one EFI system partition, found {found}"),
        bootable(image),
    ):
        pass
