"""readelf(1) says what is in a program of this host; hostile files are that program with one field changed."""

from __future__ import annotations

import re
import struct
import subprocess
from pathlib import Path

import pytest

from builders.blobs import blob_of
from builders.tools import require
from teekit_verify.artifacts import elf
from teekit_verify.artifacts.elf import parse_elf
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError


@pytest.fixture(scope="module")
def program() -> bytes:
    require("readelf")
    return Path(require("true")).resolve().read_bytes()


def readelf(path: Path, *options: str) -> str:
    return subprocess.run(["readelf", "-W", *options, path], check=True, capture_output=True, text=True).stdout


def test_sections_and_notes_are_those_of_readelf(program: bytes, tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(program)
    found = parse_elf(blob_of(program))
    rows = re.findall(
        r"^ +\[ *\d+\] (\S+) +(\w+) +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)", readelf(path, "-S"), re.MULTILINE
    )
    assert len(rows) > 20
    assert [section.name for section in found.sections] == [row[0] for row in rows]
    for section, (_, kind, address, offset, size) in zip(found.sections, rows, strict=True):
        assert section.address == int(address, 16)
        assert section.content.start == int(offset, 16)
        assert section.content.size_bytes == (0 if kind == "NOBITS" else int(size, 16))
    notes = readelf(path, "-n")
    assert found.build_id == re.findall(r"Build ID: (\w+)", notes)[0]
    assert len(found.notes) == len(re.findall(r"^  \w+ +0x[0-9a-f]{8}", notes, re.MULTILINE))


def test_no_sections_at_all(program: bytes) -> None:
    bare = bytearray(program[:64])
    struct.pack_into("<Q", bare, 0x28, 0)
    found = parse_elf(blob_of(bytes(bare)))
    assert (found.sections, found.notes, found.build_id) == ((), (), None)


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (0, "<I", 0, "ELF: magic at offset 0x0: expected b'\\x7fELF', found"),
        (0x3A, "<H", 40, "ELF: e_shentsize at offset 0x0: 40 is not 64 bytes"),
        (0x3C, "<H", 0, "ELF: e_shnum at offset 0x0: 0 is not 1 to 20000"),
        (0x3C, "<H", 0xFFFF, "ELF: e_shnum at offset 0x0: 65535 is not 1 to 20000"),
        (0x3E, "<H", 0xFF, "ELF: e_shstrndx at offset 0x0: 255 is not a section"),
        (0x28, "<Q", 1 << 40, "ELF: section table at offset 0x10000000000: "),
    ],
)
def test_hostile_headers(program: bytes, offset: int, layout: str, value: int, message: str) -> None:
    hostile = bytearray(program)
    struct.pack_into(layout, hostile, offset, value)
    with pytest.raises(MalformedInputError) as caught:
        parse_elf(blob_of(bytes(hostile)))
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(("at", "value"), [(4, 3), (5, 2)])
def test_other_kinds_of_elf(program: bytes, at: int, value: int) -> None:
    other = bytearray(program)
    other[at] = value
    with pytest.raises(UnsupportedInputError, match="only little-endian is read"):
        parse_elf(blob_of(bytes(other)))


def test_a_cut_file(program: bytes) -> None:
    for size in (0, 5, 20, 63):
        with pytest.raises(MalformedInputError, match="ELF: "):
            parse_elf(blob_of(program[:size]))


def section_row(program: bytes, name: str) -> int:
    """Where the row of a section begins in the file."""
    names = [section.name for section in parse_elf(blob_of(program)).sections]
    return int(struct.unpack_from("<Q", program, 0x28)[0]) + 64 * (1 + names.index(name))


def test_sections_that_reach_beyond_the_file(program: bytes) -> None:
    hostile = bytearray(program)
    struct.pack_into("<Q", hostile, section_row(program, ".text") + 0x20, 1 << 50)
    with pytest.raises(MalformedInputError, match=r"ELF: section at offset 0x\w+: \d+ bytes reach beyond the file's"):
        parse_elf(blob_of(bytes(hostile)))


def test_notes_that_are_too_long(program: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = bytearray(program)
    note = parse_elf(blob_of(program)).sections
    place = next(section.content for section in note if section.name == ".note.gnu.build-id")
    struct.pack_into("<I", hostile, place.start + 4, 1 << 31)
    with pytest.raises(MalformedInputError, match="ELF: note description at offset 0x"):
        parse_elf(blob_of(bytes(hostile)))
    monkeypatch.setattr(elf, "_MAX_NOTES_BYTES", 10)
    with pytest.raises(MalformedInputError, match="ELF: notes at offset 0x"):
        parse_elf(blob_of(program))


def test_too_many_names(program: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elf, "_MAX_NAMES_BYTES", 10)
    with pytest.raises(MalformedInputError, match="ELF: section names at offset 0x"):
        parse_elf(blob_of(program))
