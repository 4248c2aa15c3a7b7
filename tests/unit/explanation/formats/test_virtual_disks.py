"""VHDX, VMDK and dynamic VHDs as qemu-img writes them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from builders.explain import explained, mbr_disk, named
from builders.tools import require
from teekit_verify.explanation.tree import Kind, leaves

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = [
    ("-O", "vhdx"),
    ("-O", "vhdx", "-o", "subformat=dynamic,block_size=1M"),
    ("-O", "vhdx", "-o", "subformat=fixed"),
    ("-O", "vpc", "-o", "subformat=dynamic,force_size=on"),
    ("-O", "vmdk"),
    ("-O", "vmdk", "-o", "subformat=streamOptimized"),
    ("-O", "vmdk", "-o", "zeroed_grain=on"),
]


def disk(text: bytes) -> bytes:
    """With content at its end, and a hole of several blocks before it."""
    return mbr_disk(text) + bytes(5 << 20) + bytes(range(256)) * 600 + b"the end".ljust(512, b"\0")


def written(folder: Path, raw: bytes, *options: str) -> bytes:
    (folder / "raw").write_bytes(raw)
    argv = [require("qemu-img"), "convert", "-f", "raw", *options, str(folder / "raw"), str(folder / "q")]
    subprocess.run(argv, check=True, capture_output=True)
    return (folder / "q").read_bytes()


@pytest.mark.parametrize("options", WRITTEN, ids=" ".join)
def test_a_difference_in_the_disk_is_named(tmp_path: Path, options: tuple[str, ...]) -> None:
    one, other = (written(tmp_path, disk(text), *options) for text in (b"one\n", b"two\n"))
    found = explained(tmp_path, one, other, name="disk.img")
    [text] = [leaf for leaf in leaves(found.differences) if leaf.path[-1] == "partition 1"]
    assert text.path == ("disk.img", "disk", "partition 1")
    assert found.notices == ()
    fields = {leaf.path[-1]: [cause.name for cause in leaf.difference.causes] for leaf in leaves(found.differences)}
    del fields["partition 1"]
    fields.pop("VHD time stamp", None)  # the clock may not have moved on
    assert fields, "qemu-img draws IDs at random"
    assert set(map(tuple, fields.values())) == {("random id",) if "vmdk" in options else ("VHD unique ID",)}


@pytest.mark.parametrize(
    ("at", "content", "message"),
    [
        (4, b"\x09", "VMDK: version at offset 0x4: 9 is not 1 to 3"),
        (20, b"\x03", "VMDK: grain size at offset 0x14: 3 sectors"),
        (56, b"\xff" * 7, "VMDK: grain directory at offset 0x38: is beyond the end of the file"),
        (44, b"\xff" * 4, "VMDK: rows of a grain table at offset 0x2c: 4294967295"),
        (512, b"#" * 600, "VMDK: its descriptor or its extents are in other files, which is not supported"),
    ],
)
def test_a_damaged_vmdk_is_not_compared(tmp_path: Path, at: int, content: bytes, message: str) -> None:
    one = written(tmp_path, disk(b"one\n"), "-O", "vmdk")
    other = one[:at] + content + one[at + len(content) :]
    found = explained(tmp_path, one, other, name="disk.vmdk")
    assert found.notices == (f"{message}: disk.vmdk is not examined further",)
    assert found.differences[0].kind is Kind.NOT_COMPARED
    assert found.differences[0].what.startswith("not compared: B cannot be read: V")


def test_a_damaged_grain_of_a_stream(tmp_path: Path) -> None:
    """Its header says which sector it is of; it comes after the descriptor (qemu-img(1) puts the first at 64 KiB)."""
    one = written(tmp_path, disk(b"one\n"), "-O", "vmdk", "-o", "subformat=streamOptimized")
    at = one.index(b"\x78\x9c") - 12
    found = explained(tmp_path, one, one[:at] + b"\x05" + one[at + 1 :], name="disk.vmdk")
    assert "which is not what its table says" in found.notices[0]
    assert found.differences[0].kind is Kind.NOT_COMPARED
    assert found.differences[0].what.startswith("not compared: B cannot be read: V")


def test_what_cannot_be_read_is_noted(tmp_path: Path) -> None:
    one = written(tmp_path, disk(b"one\n"), "-O", "vhdx")
    logged = bytearray(one)
    for at in (64 << 10, 128 << 10):
        logged[at + 100] ^= 1  # neither header has its checksum
    found = explained(tmp_path, one, bytes(logged), name="disk.vhdx")
    assert found.notices[0].startswith("VHDX: header at offset 0x10000: neither copy has a valid checksum")
    assert found.differences[0].kind is Kind.NOT_COMPARED
    assert found.differences[0].what.startswith("not compared: B cannot be read: V")
    assert [name for name, _ in named(found)] == ["disk.vhdx"]
