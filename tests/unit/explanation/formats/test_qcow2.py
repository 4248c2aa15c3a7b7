"""qcow2 as qemu-img writes it, and headers that nobody should follow."""

from __future__ import annotations

import os
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from builders.explain import explained, mbr_disk, named
from builders.tools import require
from teekit_verify.artifacts import qcow2
from teekit_verify.artifacts.blob import Blob
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = [
    ("-o", "compat=0.10"),
    ("-o", "compat=1.1"),
    ("-o", "compat=1.1,cluster_size=512"),
    ("-o", "compat=1.1,cluster_size=2M"),
    ("-c", "-o", "compat=1.1"),
    ("-c", "-o", "compat=1.1,compression_type=zstd"),
]


def written(folder: Path, raw: bytes, *options: str) -> bytes:
    (folder / "raw").write_bytes(raw)
    argv = [
        require("qemu-img"),
        "convert",
        "-f",
        "raw",
        "-O",
        "qcow2",
        *options,
        str(folder / "raw"),
        str(folder / "q"),
    ]
    subprocess.run(argv, check=True, capture_output=True)
    return (folder / "q").read_bytes()


def disk(text: bytes) -> bytes:
    """With content at its end, and a hole of many clusters before it."""
    return mbr_disk(text) + bytes(3 << 20) + bytes(range(256)) * 600 + b"the end".ljust(512, b"\0")


def read(path: Path, data: bytes) -> bytes:
    """The disk, put together from its clusters."""
    path.write_bytes(data)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        blob = Blob.of(descriptor)
        header = qcow2.read_header(blob)
        whole = bytearray(header.size_bytes)
        for offset, content in qcow2.clusters(blob, header):
            whole[offset : offset + len(content)] = content
        return bytes(whole)
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("options", WRITTEN, ids=" ".join)
def test_what_qemu_img_writes_is_read_as_it_was(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert read(tmp_path / "read", written(tmp_path, disk(b"one\n"), *options)) == disk(b"one\n")


def test_a_difference_in_the_disk_is_named(tmp_path: Path) -> None:
    one, other = (written(tmp_path, disk(text)) for text in (b"one\n", b"two\n"))
    found = explained(tmp_path, one, other, name="disk.qcow2")
    assert [name for name, _ in named(found)] == ["partition 1"]
    assert found.notices == ()


def test_the_same_disk_written_in_another_way(tmp_path: Path) -> None:
    one, other = (written(tmp_path, disk(b"one\n"), *options) for options in ((), ("-c",)))
    assert one != other
    [difference] = explained(tmp_path, one, other, name="disk.qcow2").differences
    assert difference.what == "packed in another way, what it unpacks to is equal"
    third = written(tmp_path, disk(b"one\n"), "-o", "cluster_size=4096")
    assert [name for name, _ in named(explained(tmp_path, one, third, name="d"))] == ["size of a cluster"]


def test_bytes_between_the_disks_parts_are_shown_and_nothing_explains_them(tmp_path: Path) -> None:
    """What hides there is no matter of packing."""
    one = written(tmp_path, disk(b"one\n"))
    other = one[:0x300] + b"hidden here" + one[0x30B:]  # behind the header, in its cluster
    [difference] = explained(tmp_path, one, other, name="disk.qcow2").differences
    assert difference.what == (
        "the disk inside is equal; where its parts lie in the file, or what lies between them, differs"
    )
    assert difference.causes == ()
    assert any("hidden here" in line for line in difference.excerpt)


def test_a_snapshot_is_not_passed_over(tmp_path: Path) -> None:
    """The disks are equal, and one file has more in it: nothing says that they are the same."""
    one = written(tmp_path, disk(b"one\n"))
    subprocess.run([require("qemu-img"), "snapshot", "-c", "name", str(tmp_path / "q")], check=True)
    other = (tmp_path / "q").read_bytes()
    assert "snapshots" in [name for name, _ in named(explained(tmp_path, one, other, name="d"))]


def header(**changes: int) -> bytes:
    """A disk of 1 MiB without anything in it, in clusters of 64 KiB: one L1 entry at 0x10000."""
    values = {
        "version": 3, "backing": 0, "backing_size": 0, "cluster_bits": 16, "size": 1 << 20, "crypt": 0, "l1_size": 1,
        "l1": 0x10000, "refcounts": 0, "refcount_clusters": 0, "snapshots": 0, "snapshots_at": 0, "features": 0,
        "compatible": 0, "autoclear": 0, "order": 4, "length": 112, "compression": 0, "table": 0, "row": 0,
    } | changes  # fmt: skip
    *fields, compression, table, row = values.values()
    made = b"QFI\xfb" + struct.pack(">IQIIQIIQQIIQQQQII", *fields) + bytes([compression]) + bytes(7)
    made = made.ljust(0x10000, b"\0") + struct.pack(">Q", table).ljust(0x10000, b"\0")
    return made + struct.pack(">Q", row).ljust(0x10000, b"\0")


def test_an_empty_disk(tmp_path: Path) -> None:
    assert read(tmp_path / "q", header()) == bytes(1 << 20)
    assert read(tmp_path / "q", header(table=0x20000, row=0x20001)) == bytes(1 << 20)  # all zeros, whatever lies there
    assert read(tmp_path / "q", header(table=0x20000, row=0x20000))[:8] == struct.pack(">Q", 0x20000)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backing": 1024}, "it needs a backing file"),
        ({"crypt": 1}, "it is encrypted"),
        ({"features": 2}, "it is marked as corrupt"),
        ({"features": 4}, "an external data file"),
        ({"features": 16}, "extended L2 entries"),
        ({"features": 1 << 40}, "features 0x10000000000"),
        ({"compression": 2}, "compression type 2"),
        ({"version": 4}, "version 4"),
        ({"size": 1 << 50, "l1_size": 1 << 20}, "more than this program reads"),
        ({"size": 1 << 32, "cluster_bits": 9, "l1_size": 1 << 30}, "more than this program reads"),
    ],
)
def test_what_is_not_read_is_said(tmp_path: Path, changes: dict[str, int], message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=f"^qcow2: .*{message}"):
        read(tmp_path / "q", header(**changes))
    one, other = header(**changes), header(**changes) + b"\0"
    found = explained(tmp_path, one, other, name="disk")
    assert found.differences[0].what != "packed in another way, what it unpacks to is equal"
    assert message in found.notices[0]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cluster_bits": 8}, "cluster_bits"),
        ({"cluster_bits": 200}, "cluster_bits"),
        ({"l1_size": 0}, "l1_size"),
        ({"l1": 1 << 60}, "L1 table"),
        ({"table": 0x100000}, "L2 table"),
        ({"table": 0x20000, "row": 1 << 30}, "cluster"),
        ({"table": 0x20000, "row": 1 << 62 | 0x10000}, "compressed cluster"),
        ({"table": 0x20000, "row": 1 << 62 | 0x10000, "compression": 1}, "compressed cluster"),
    ],
)
def test_what_is_damaged_is_said(tmp_path: Path, changes: dict[str, int], field: str) -> None:
    with pytest.raises(MalformedInputError) as caught:
        read(tmp_path / "q", header(**changes))
    assert caught.value.field == field


@pytest.mark.parametrize("size", [0, 3, 71, 103, 0x10000, 0x10007, 0x20000, 0x2FFFF])
def test_a_file_that_is_cut_off(tmp_path: Path, size: int) -> None:
    with pytest.raises(MalformedInputError, match=r"^qcow2: "):
        read(tmp_path / "q", header(table=0x20000, row=0x20000)[:size])


def test_a_cluster_that_is_cut_off_ends_in_zeros(tmp_path: Path) -> None:
    """As QEMU reads it."""
    whole = header(table=0x20000, row=0x30000) + b"content"
    assert read(tmp_path / "q", whole).startswith(b"content\0")
