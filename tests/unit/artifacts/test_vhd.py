"""The footer of fixed VHDs: as qemu-img writes it, the specification's geometry, and footers that cannot be."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pytest

from builders import vhd as made
from teekit_verify.artifacts.magic import VHD_FOOTER_BYTES
from teekit_verify.artifacts.vhd import Geometry, geometry_of, parse_footer
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
GIB = 1 << 30


@pytest.mark.parametrize("size_bytes", [MIB, 30 * MIB, 3 * GIB + MIB])
def test_the_footer_of_qemu_img(tmp_path: Path, size_bytes: int) -> None:
    path = made.convert(made.empty(tmp_path / "disk.raw", size_bytes), "subformat=fixed,force_size=on")
    footer = parse_footer(made.last_bytes(path), path.stat().st_size)
    information = json.loads(made.run("qemu-img", "info", "-f", "vpc", "--output=json", str(path)))
    assert footer.size_bytes == size_bytes == information["virtual-size"]
    assert footer.creator == "qem2"


@pytest.mark.parametrize("size_bytes", [MIB, 100 * MIB, 500 * MIB, 600 * MIB, 2 * GIB, 30 * GIB, 40 * GIB])
def test_the_geometry_is_that_of_qemu_img(tmp_path: Path, size_bytes: int) -> None:
    """Without force_size, qemu-img makes the disk as large as the specification's geometry of some size at or above it."""
    path = made.convert(made.empty(tmp_path / "disk.raw", size_bytes), "subformat=fixed")
    footer = parse_footer(made.last_bytes(path), path.stat().st_size)
    assert geometry_of(footer.size_bytes) == footer.geometry
    shape = footer.geometry
    assert shape.cylinders * shape.heads * shape.sectors * 512 == footer.size_bytes >= size_bytes


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [
        (3 * MIB, Geometry(90, 4, 17)),  # least: 4 heads, 17 sectors: 6144 / 17 / 4
        (65535 * 16 * 255 * 512 + GIB, Geometry(65535, 16, 255)),
        (1 << 42, Geometry(65535, 16, 255)),
    ],
)
def test_the_geometry_at_its_bounds(size_bytes: int, expected: Geometry) -> None:
    assert geometry_of(size_bytes) == expected


def test_a_dynamic_disk_is_refused(tmp_path: Path) -> None:
    path = made.convert(made.empty(tmp_path / "disk.raw", MIB), "subformat=dynamic")
    with pytest.raises(UnsupportedInputError, match=r"disk type 3 \(dynamic\), expected 2 \(fixed\)"):
        parse_footer(made.last_bytes(path), path.stat().st_size)


def test_the_builder_writes_what_qemu_reads(tmp_path: Path) -> None:
    path = tmp_path / "disk.vhd"
    path.write_bytes(bytes(5 * MIB) + made.footer(5 * MIB))
    information = json.loads(made.run("qemu-img", "info", "-f", "vpc", "--output=json", str(path)))
    assert information["virtual-size"] == 5 * MIB
    assert parse_footer(made.last_bytes(path), path.stat().st_size).unique_id == made.UNIQUE_ID


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (0, "B", 0x43, r"VHD footer: cookie at offset 0x100000: expected b'conectix', found b'Conectix'"),
        (12, "I", 0x00020000, "file format version at offset 0x10000c: 0x00020000 is not 0x00010000"),
        (16, "Q", 512, "data offset at offset 0x100010: 0x200, but a fixed disk has no more headers"),
        (
            48,
            "Q",
            MIB - 512,
            "current size at offset 0x100030: 1048064 bytes, but 1048576 bytes come before the footer",
        ),
        (48, "Q", 1 << 63, "current size"),
    ],
)
def test_footers_that_cannot_be(offset: int, layout: str, value: int, message: str) -> None:
    changed = bytearray(made.footer(MIB))
    struct.pack_into(">" + layout, changed, offset, value)
    with pytest.raises(MalformedInputError, match=message):
        parse_footer(made.with_checksum(changed), MIB + VHD_FOOTER_BYTES)


@pytest.mark.parametrize("kind", [0, 4, 7])
def test_unknown_types(kind: int) -> None:
    changed = bytearray(made.footer(MIB))
    struct.pack_into(">I", changed, 60, kind)
    with pytest.raises(UnsupportedInputError, match=f"disk type {kind}"):
        parse_footer(made.with_checksum(changed), MIB + VHD_FOOTER_BYTES)


@pytest.mark.parametrize("place", range(8, VHD_FOOTER_BYTES, 7))
def test_any_changed_byte_breaks_the_checksum(place: int) -> None:
    changed = bytearray(made.footer(MIB))
    changed[place] ^= 0x10
    with pytest.raises(MalformedInputError, match="checksum at offset 0x100040: expected 0x"):
        parse_footer(bytes(changed), MIB + VHD_FOOTER_BYTES)


def test_a_cut_footer() -> None:
    with pytest.raises(MalformedInputError, match="footer at offset 0x0: needs 512 bytes, found 100"):
        parse_footer(made.footer(MIB)[:100], 100)
