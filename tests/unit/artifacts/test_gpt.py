"""GPT parsing: sfdisk makes the disks, and reads them back in another form."""

from __future__ import annotations

import json
import subprocess
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.gpt import patched, sfdisk_disk
from builders.tools import require
from teekit_verify.artifacts.gpt import read_gpt
from teekit_verify.core.errors import MalformedInputError


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return sfdisk_disk(tmp_path_factory.mktemp("gpt"))


def test_the_table_is_what_sfdisk_reads(disk: bytes, tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(disk)
    dumped = subprocess.run([require("sfdisk"), "-J", path], check=True, capture_output=True).stdout
    expected = json.loads(dumped)["partitiontable"]
    gpt = read_gpt(BytesIO(disk))
    assert gpt.disk_guid == UUID(expected["id"])
    assert (gpt.first_usable_lba, gpt.last_usable_lba) == (expected["firstlba"], expected["lastlba"])
    assert [
        (entry.name, entry.type_guid, entry.unique_guid, entry.first_lba, entry.last_lba - entry.first_lba + 1)
        for entry in gpt.entries
    ] == [
        (row["name"], UUID(row["type"]), UUID(row["uuid"]), row["start"], row["size"]) for row in expected["partitions"]
    ]
    assert [entry.attributes for entry in gpt.entries] == [1 << 2, 0]  # LegacyBIOSBootable is bit 2 (UEFI table 5.8)


def test_header_and_entries_are_kept_as_they_are_on_disk(disk: bytes) -> None:
    gpt = read_gpt(BytesIO(disk))
    assert gpt.header == disk[512 : 512 + 92]
    assert b"".join(entry.raw for entry in gpt.entries) == disk[1024 : 1024 + 2 * 128]
    assert gpt.alternate_lba == len(disk) // 512 - 1


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (0, "B", 0, "signature at offset 0x200: expected 'EFI PART'"),
        (8, "I", 0x20000, "revision at offset 0x208: 0x20000 is not 0x10000"),
        (12, "I", 91, "header size at offset 0x20c: 91 is not 92 to 512 bytes"),
        (12, "I", 513, "header size at offset 0x20c: 513 is not 92 to 512 bytes"),
        (24, "Q", 2, "MyLBA at offset 0x218: 2 is not 1"),
        (72, "Q", 1, "entries LBA at offset 0x248: 1 is not on the disk"),
        (72, "Q", 1 << 63, "entries LBA at offset 0x248: 9223372036854775808 is not on the disk"),
        (72, "Q", 1 << 40, "entries at offset 0x248: 16384 bytes at LBA 1099511627776, only 0 are there"),
        (80, "I", 0xFFFFFFFF, "entry count at offset 0x250: 4294967295 entries of 128 bytes"),
        (84, "I", 0, "entry size at offset 0x254: 0 is not a multiple of 128 bytes"),
        (84, "I", 130, "entry size at offset 0x254: 130 is not a multiple of 128 bytes"),
        (88, "I", 0, "entries CRC at offset 0x258: expected 0x"),
    ],
)
def test_each_wrong_field_is_named(disk: bytes, offset: int, layout: str, value: int, message: str) -> None:
    with pytest.raises(MalformedInputError, match=f"^GPT: {message}"):
        read_gpt(BytesIO(patched(disk, offset, layout, value)))


def test_a_changed_header_byte_breaks_the_header_crc(disk: bytes) -> None:
    changed = bytearray(disk)
    changed[512 + 56] ^= 1
    with pytest.raises(MalformedInputError, match="GPT: header CRC at offset 0x210: expected 0x"):
        read_gpt(BytesIO(changed))


def test_every_truncation_is_refused(disk: bytes) -> None:
    needed = 1024 + 128 * 128
    read_gpt(BytesIO(disk[:needed]))
    for size in (*range(1024 + 300), needed - 1):
        with pytest.raises(MalformedInputError):
            read_gpt(BytesIO(disk[:size]))


@given(offset=st.integers(512, 1024 + 128 * 128 - 1), bit=st.integers(0, 7))
@settings(max_examples=200)
def test_any_flipped_bit_is_refused(disk: bytes, offset: int, bit: int) -> None:
    changed = bytearray(disk)
    changed[offset] ^= 1 << bit
    if 512 + 92 <= offset < 1024:  # reserved, and no part of the header
        assert read_gpt(BytesIO(changed)) == read_gpt(BytesIO(disk))
        return
    with pytest.raises(MalformedInputError):
        read_gpt(BytesIO(changed))
