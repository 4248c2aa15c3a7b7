"""TDX firmware: what a well-formed image gives, and how each wrong field is named."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import tdvf as build
from teekit_verify.artifacts.tdvf import SectionType, TdvfSection, is_tdvf, open_tdvf, parse_tdvf
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError

TABLE = build.TABLE_END - (18 + 4) - (18 + 4) - 18 - 18


def test_sections_in_the_order_of_the_metadata() -> None:
    firmware = parse_tdvf(build.build_tdvf())
    assert firmware.sections == (
        TdvfSection(0x4000, 0x4000, 0xFFFFC000, 0x4000, SectionType.BFV, 1),
        TdvfSection(0, 0x3000, 0xFFFF8000, 0x4000, SectionType.CFV, 0),
        TdvfSection(0, 0, 0x810000, 0x2000, SectionType.TEMP_MEM, 0),
        TdvfSection(0, 0, 0x809000, 0x2000, SectionType.TD_HOB, 0),
    )
    assert [section.extends_mr for section in firmware.sections] == [True, False, False, False]
    assert not any(section.page_aug for section in firmware.sections)
    assert firmware.content(firmware.sections[1]) == build.build_tdvf()[:0x3000]
    assert firmware.only(SectionType.CFV) is firmware.sections[1]


def test_a_section_that_must_be_there_once() -> None:
    firmware = parse_tdvf(build.build_tdvf([*build.ROWS, build.ROWS[1]]))
    with pytest.raises(UnsupportedInputError, match="expected one CFV section in its metadata, found 2"):
        firmware.only(SectionType.CFV)
    with pytest.raises(UnsupportedInputError, match="expected one PERM_MEM section in its metadata, found 0"):
        firmware.only(SectionType.PERM_MEM)


def test_the_entry_a_vmm_finds_first_counts() -> None:
    """The table is searched from its end; an older entry of the same GUID further up is never seen."""
    right = struct.pack("<I", build.FIRMWARE_BYTES - build.METADATA_OFFSET)
    entries = build.entry(build.METADATA, b"\xff" * 4) + build.entry(build.METADATA, right)
    assert len(parse_tdvf(build.build_tdvf(entries=entries)).sections) == 4


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "fw.fd"
    path.write_bytes(build.build_tdvf())
    assert is_tdvf(path)
    with open_tdvf(path) as firmware:
        kept = firmware.content(firmware.sections[0])
        assert len(firmware.sections) == 4
    assert kept[0] == build.build_tdvf()[0x4000]


@pytest.mark.parametrize("content", [b"", b"MZ", bytes(8192), b"{}" * 4000], ids=["empty", "short", "zeros", "JSON"])
def test_files_of_another_kind(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    assert not is_tdvf(path)
    with pytest.raises(MalformedInputError, match=f"^{path}: "):
        open_tdvf(path).__enter__()


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert not is_tdvf(tmp_path / "none")
    with pytest.raises(TeekitError, match="none: cannot be read: No such file"):
        open_tdvf(tmp_path / "none").__enter__()


def test_firmware_without_tdx() -> None:
    with pytest.raises(UnsupportedInputError, match="no TDX metadata: this firmware is not built for TDX"):
        parse_tdvf(build.build_tdvf(entries=build.entry(build.SEV_INFO, b"")))


@pytest.mark.parametrize("size", [0, 4095, (64 << 20) + 1])
def test_sizes_that_no_firmware_has(size: int) -> None:
    with pytest.raises(MalformedInputError, match=f"firmware: file size at offset 0x0: {size} bytes is not 4096 bytes"):
        parse_tdvf(bytes(size))


def _row(**changes: int) -> bytes:
    fields = {"data_offset": 0, "raw_size": 0, "address": 0x810000, "memory_size": 0x1000, "kind": build.TEMP_MEM}
    return build.build_tdvf([build.Row(**{**fields, **changes})])


def _pointing(offset_from_end: int) -> bytes:
    return build.build_tdvf(entries=build.entry(build.METADATA, struct.pack("<I", offset_from_end)))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (build.build_tdvf()[:-1] + b"xx", "GUIDed table footer at offset 0x7fd1: expected 96b582de-1fb2"),
        (
            build.build_tdvf(entries=b"\xff\xff" + build.FOOTER.bytes_le),
            "GUIDed table length at offset 0x7fbc: 65535 is",
        ),
        (build.build_tdvf(entries=bytes(18)), "GUIDed table length at offset 0x7fbc: 0 is not 18 to 18 bytes"),
        (
            build.build_tdvf(entries=bytes(5)),
            "GUIDed table entry at offset 0x7fbc: 5 bytes are left, too few for a len",
        ),
        (
            build.build_tdvf(entries=build.entry(build.METADATA, b"")),
            "TDX metadata entry at offset 0x7fbc: expected 4 by",
        ),
        (_pointing(0x8001), "TDX metadata offset at offset 0x7fb8: 0x8001 from the end is not inside"),
        (_pointing(15), "TDX metadata offset at offset 0x7fb8: 0xf from the end is not inside"),
        (
            build.build_tdvf(signature=b"TDXX"),
            "TDX metadata signature at offset 0x7000: expected b'TDVF', found b'TDXX'",
        ),
        (build.build_tdvf(version=2), "TDX metadata version at offset 0x7008: expected 1, found 2"),
        (build.build_tdvf(count=0), "TDX metadata section count at offset 0x700c: 0 is not 1 to 64"),
        (build.build_tdvf(count=0xFFFFFFFF), "TDX metadata section count at offset 0x700c: 4294967295 is not 1 to 64"),
        (build.build_tdvf(length=16), "TDX metadata length at offset 0x7004: 16 does not fit 4 sections"),
        (_row(data_offset=0x7FFF, raw_size=2), r"TDX section 0 \(TEMP_MEM\) at offset 0x7010: its data ends at 0x8001"),
        (
            _row(raw_size=1),
            r"TDX section 0 \(TEMP_MEM\) at offset 0x7014: 1 bytes of data in a section that takes none",
        ),
        (_row(kind=build.CFV), r"TDX section 0 \(CFV\) at offset 0x7014: no data"),
        (_row(address=1), r"TDX section 0 \(TEMP_MEM\) at offset 0x7018: address 0x1 is not a multiple of 4096"),
        (_row(memory_size=1), r"TDX section 0 \(TEMP_MEM\) at offset 0x7020: memory size 0x1 is not a multiple of"),
        (
            _row(kind=build.BFV, raw_size=0x1001),
            r"TDX section 0 \(BFV\) at offset 0x7020: memory size 0x1000 is less than the 0x1001 bytes of data",
        ),
        (
            _row(address=(1 << 64) - 4096),
            r"TDX section 0 \(TEMP_MEM\) at offset 0x7018: it ends at 0x1000000\d+, beyond 52",
        ),
        (_row(memory_size=65 << 20), "TDX metadata at offset 0x7000: its sections take 65 MiB, more than 64 MiB"),
    ],
)
def test_each_wrong_field_is_named(image: bytes, message: str) -> None:
    with pytest.raises(MalformedInputError, match=f"^firmware: {message}"):
        parse_tdvf(image)


def test_an_unknown_section_type_is_refused() -> None:
    with pytest.raises(UnsupportedInputError, match="firmware: TDX section 0 has the unknown type 7"):
        parse_tdvf(_row(kind=7))


def test_memory_that_is_added_later_is_not_bounded() -> None:
    """td-shim's permanent memory is all of the guest's."""
    assert parse_tdvf(build.build_tdvf([build.Row(0, 0, 0, 1 << 40, build.PERM_MEM, build.AUG)])).sections[0].page_aug


@given(st.lists(st.tuples(st.integers(0, 0xFF), st.integers(0, 255)), min_size=1, max_size=6))
@settings(max_examples=300)
def test_changed_tables_raise_only_our_errors(changes: list[tuple[int, int]]) -> None:
    image = bytearray(build.build_tdvf())
    for offset, value in changes:
        image[(build.METADATA_OFFSET if offset < 0x90 else build.TABLE_END - 0x100) + offset] = value
    try:
        firmware = parse_tdvf(bytes(image))
    except TeekitError:
        return
    for section in firmware.sections:
        assert len(firmware.content(section)) == section.raw_size
