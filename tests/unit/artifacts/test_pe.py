"""PE headers and Authenticode: pesign, osslsigncode and objdump are the oracles."""

from __future__ import annotations

import hashlib
import mmap
import re
import struct
import subprocess
import tracemalloc
from pathlib import Path

import pefile
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders.pe import (
    CERTIFICATE_ENTRY_OFFSET,
    CHECKSUM_OFFSET,
    NT_OFFSET,
    OPTIONAL_OFFSET,
    Row,
    build_pe,
    section_table_offset,
)
from builders.tools import require
from teekit_verify.artifacts.pe import Span, parse_pe
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError

STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
ROWS = [Row(".text", b"code" * 200), Row(".data", b"x" * 100), Row(".bss", b"", 64)]


def authenticode(data: bytes, algorithm: str = "sha256") -> str:
    state = hashlib.new(algorithm)
    for span in parse_pe(memoryview(data)).authenticode_spans():
        state.update(data[span.start : span.stop])
    return state.hexdigest()


def pesign_digest(path: Path, algorithm: str = "sha256") -> str:
    out = subprocess.run(
        [require("pesign"), "-h", "-d", algorithm, "-i", str(path)], check=True, capture_output=True, text=True
    ).stdout
    return out.split()[-1] if out.startswith("hash:") else out.split()[0]


def installed_stub() -> bytes:
    if not STUB.exists():
        require("linuxx64.efi.stub (systemd-boot-efi)")
    return STUB.read_bytes()


@pytest.mark.parametrize(
    "image",
    [
        build_pe(ROWS),
        build_pe(ROWS, trailing=b"overlay!" * 8),
        build_pe(list(reversed(ROWS))),
        build_pe([Row(".linux", b"k" * 4096)]),
    ],
    ids=["plain", "overlay", "reordered", "one section"],
)
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_authenticode_is_what_pesign_computes(image: bytes, algorithm: str, tmp_path: Path) -> None:
    path = tmp_path / "image.efi"
    path.write_bytes(image)
    assert authenticode(image, algorithm) == pesign_digest(path, algorithm)


def test_authenticode_of_a_real_stub(tmp_path: Path) -> None:
    path = tmp_path / "stub.efi"
    path.write_bytes(installed_stub())
    assert authenticode(path.read_bytes()) == pesign_digest(path)


def test_a_signature_changes_nothing(tmp_path: Path) -> None:
    """osslsigncode writes the digest it signs into the certificate table, and prints it when verifying."""
    plain, signed = tmp_path / "plain.efi", tmp_path / "signed.efi"
    plain.write_bytes(build_pe(ROWS, trailing=b"overlay!" * 8))
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *(require("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=t"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    tool = require("osslsigncode")
    subprocess.run(
        [tool, "sign", "-h", "sha384", "-certs", certificate, "-key", key, "-in", plain, "-out", signed],
        check=True,
        capture_output=True,
    )
    printed = subprocess.run([tool, "verify", "-in", signed], check=False, capture_output=True, text=True).stdout
    digests = re.findall(r"message digest\s*:\s*([0-9A-F]{96})", printed)
    assert digests
    assert {authenticode(signed.read_bytes(), "sha384").upper()} == set(digests)
    image = parse_pe(memoryview(signed.read_bytes()))
    assert image.certificates is not None
    assert image.certificates.stop == signed.stat().st_size


def test_sections_are_what_objdump_lists(tmp_path: Path) -> None:
    path = tmp_path / "stub.efi"
    path.write_bytes(installed_stub())
    listed = subprocess.run([require("objdump"), "-h", path], check=True, capture_output=True, text=True).stdout
    rows = re.findall(r"^ +\d+ (\S+) +([0-9a-f]{8}) +[0-9a-f]+ +[0-9a-f]+ +([0-9a-f]{8})", listed, re.MULTILINE)
    image = parse_pe(memoryview(path.read_bytes()))
    # objdump prints the smaller of the two sizes of a section
    found = [(row.name, min(row.virtual_size, row.raw_size), row.raw_offset) for row in image.sections]
    assert found == [(name, int(size, 16), int(offset, 16)) for name, size, offset in rows]


def test_spans_of_a_hand_checked_image() -> None:
    image = build_pe([Row(".text", b"t" * 10)], trailing=b"12345678", certificate=b"c" * 16)
    parsed = parse_pe(memoryview(image))
    assert parsed.header_bytes == 512
    assert parsed.authenticode_spans() == (
        Span(0, 0xD8),
        Span(0xDC, 0x128),
        Span(0x130, 512),
        Span(512, 1024),
        Span(1024, 1032),
    )
    assert parsed.certificates == Span(1032, 1048)


def test_without_a_certificate_directory_the_headers_are_hashed_whole() -> None:
    parsed = parse_pe(memoryview(build_pe(ROWS, directories=4)))
    assert parsed.certificate_entry is None
    assert parsed.authenticode_spans()[:2] == (Span(0, CHECKSUM_OFFSET), Span(CHECKSUM_OFFSET + 4, parsed.header_bytes))


def test_content_is_cut_to_the_size_in_memory() -> None:
    section = parse_pe(memoryview(build_pe([Row(".linux", b"k" * 700, 650)]))).sections[0]
    assert section.content == Span(512, 512 + 650)


def test_content_that_the_loader_would_fill_with_zeros_is_refused() -> None:
    section = parse_pe(memoryview(build_pe([Row(".bss\x1b", b"", 64)]))).sections[0]
    with pytest.raises(UnsupportedInputError, match=r"section \.bss\\x1b: its size in memory \(64 bytes\) is larger"):
        _ = section.content


@pytest.mark.parametrize(
    ("offset", "layout", "value", "message"),
    [
        (0, "H", 0x5A4E, "DOS signature at offset 0x0: expected 'MZ'"),
        (0x3C, "I", 0x20, "e_lfanew at offset 0x3c: 0x20 is not between 0x40"),
        (0x3C, "I", 0xFFFFFFFF, "e_lfanew at offset 0x3c: 0xffffffff is not between"),
        (NT_OFFSET, "I", 0, "PE signature at offset 0x80: expected 'PE'"),
        (NT_OFFSET + 6, "H", 0, "NumberOfSections at offset 0x98: 0 is not 1 to 1024"),
        (NT_OFFSET + 6, "H", 0xFFFF, "NumberOfSections at offset 0x98: 65535 is not 1 to 1024"),
        (NT_OFFSET + 6, "H", 60, "SizeOfHeaders at offset 0x98: 512 bytes do not hold 60 section headers"),
        (NT_OFFSET + 20, "H", 0xFFFF, "optional header at offset 0x98: needs 65535 bytes"),
        (
            NT_OFFSET + 20,
            "H",
            200,
            r"NumberOfRvaAndSizes at offset 0x104: 16 directories \(at most 16\) do not fill an optional header of 200 bytes",
        ),
        (OPTIONAL_OFFSET + 56, "I", 512, r"SizeOfHeaders at offset 0x98: 512 is not below SizeOfImage \(512\)"),
        (OPTIONAL_OFFSET + 60, "I", 0x2000, "SizeOfHeaders at offset 0x98: 8192 bytes, the file has"),
        (OPTIONAL_OFFSET + 108, "I", 17, r"NumberOfRvaAndSizes at offset 0x104: 17 directories \(at most 16\)"),
        (CERTIFICATE_ENTRY_OFFSET + 4, "I", 0x7FFFFFFF, "certificate table at offset 0x128: ends at 0x7fffffff"),
        (section_table_offset() + 8, "I", 0x7FFFFFFF, r"section \.text virtual size at offset 0x188: ends at"),
        (section_table_offset() + 16, "I", 0x7FFFFFFF, r"section \.text raw data at offset 0x188: ends at"),
    ],
)
def test_each_wrong_field_is_named(offset: int, layout: str, value: int, message: str) -> None:
    image = bytearray(build_pe(ROWS))
    struct.pack_into("<" + layout, image, offset, value)
    with pytest.raises(MalformedInputError, match=f"^PE image: {message}"):
        parse_pe(memoryview(image))


def test_offsets_in_errors_count_from_the_start_of_the_file() -> None:
    with pytest.raises(
        MalformedInputError, match=r"^UKI section \.linux: DOS signature at offset 0x1000: expected 'MZ'"
    ):
        parse_pe(memoryview(b"ELF?" * 40), what="UKI section .linux", base=0x1000)


def test_a_certificate_table_over_sections_is_refused() -> None:
    image = bytearray(build_pe(ROWS, trailing=b"overlay!"))
    struct.pack_into("<II", image, CERTIFICATE_ENTRY_OFFSET, 512, 512)
    with pytest.raises(MalformedInputError, match="certificate table size at offset 0x128: 512 bytes reach into the"):
        parse_pe(memoryview(image)).authenticode_spans()


def test_sections_that_share_file_bytes_are_refused() -> None:
    """1,024 sections over the same 100 MB would take an hour to hash."""
    image = bytearray(build_pe(ROWS))
    second = section_table_offset() + 40
    struct.pack_into("<II", image, second + 16, 1024, 512)
    with pytest.raises(UnsupportedInputError, match="PE image: its headers and sections overlap in the file"):
        parse_pe(memoryview(image)).authenticode_spans()


def test_the_section_table_keeps_its_order() -> None:
    rows = [Row(".b", b"b", at=0x3000), Row(".a", b"a", at=0x1000)]
    assert [row.name for row in parse_pe(memoryview(build_pe(rows))).sections] == [".b", ".a"]


def test_an_initrd_beyond_256_mib_is_read(tmp_path: Path) -> None:
    """pefile calls the size of the first section suspicious, and the address of the second. The file is sparse."""
    small = bytearray(build_pe([Row(".initrd", b"i" * 512), Row(".linux", b"k" * 512)]))
    table, size = section_table_offset(), 300 << 20
    struct.pack_into("<II", small, table + 8, size, 0x1000)
    struct.pack_into("<I", small, table + 16, size)
    struct.pack_into("<IIII", small, table + 48, 512, 0x1000 + size, 512, 512 + size)
    struct.pack_into("<I", small, OPTIONAL_OFFSET + 56, 0x2000 + size)
    path = tmp_path / "large.efi"
    with path.open("wb") as stream:
        stream.write(small[:512])
        stream.truncate(1024 + size)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        view = memoryview(mapped)
        image = parse_pe(view)
        assert [row.content for row in image.sections] == [Span(512, 512 + size), Span(512 + size, 1024 + size)]
        assert image.authenticode_spans()[-1] == Span(512 + size, 1024 + size)
        view.release()  # together with the end of the block: fails if pefile's objects still hold the map


def _odd(second_raw_offset: int) -> bytearray:
    """The second section is larger than 256 MiB, and the file is not."""
    image = bytearray(build_pe(ROWS))
    second = section_table_offset() + 40
    struct.pack_into("<IIII", image, second + 8, 0x10000001, 0x10001000, 100, second_raw_offset)
    struct.pack_into("<I", image, OPTIONAL_OFFSET + 56, 0x30000000)
    return image


def test_a_table_that_pefile_gives_up_on_is_refused() -> None:
    """Never is a section left out: what it holds would go unmeasured."""
    assert len(parse_pe(memoryview(_odd(1536))).sections) == 3
    with pytest.raises(UnsupportedInputError, match="pefile reads 1 of 3 sections and rejects the next one"):
        parse_pe(memoryview(_odd(1537)))


def test_a_section_header_of_zeros_is_refused() -> None:
    image = bytearray(build_pe(ROWS))
    image[section_table_offset() + 40 : section_table_offset() + 80] = bytes(40)
    with pytest.raises(UnsupportedInputError, match="pefile reads 1 of 3 sections"):
        parse_pe(memoryview(image))


def test_what_pefile_raises_is_our_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object) -> None:
        raise struct.error("unpack\x1b requires a buffer")

    monkeypatch.setattr(pefile.PE, "parse_sections", stumble)
    with pytest.raises(MalformedInputError, match=r"headers at offset 0x0: pefile cannot read them: unpack\\x1b req"):
        parse_pe(memoryview(build_pe(ROWS)))


def test_imports_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writable and executable section PAGE makes pefile ask whether this is a driver: it would read all imports."""
    image = bytearray(build_pe([Row("PAGE", b"x" * 512)]))
    struct.pack_into("<I", image, section_table_offset() + 36, 0xE0000020)
    monkeypatch.setattr(pefile.PE, "parse_data_directories", lambda *_, **__: pytest.fail("imports were read"))
    assert [row.name for row in parse_pe(memoryview(image)).sections] == ["PAGE"]


def test_little_is_copied(tmp_path: Path) -> None:
    """pefile keeps everything before the first section as "the header": here 200 MiB of a sparse file."""
    small = bytearray(build_pe([Row(".linux", b"k" * 512)]))
    struct.pack_into("<I", small, section_table_offset() + 20, 200 << 20)
    path = tmp_path / "late.efi"
    with path.open("wb") as stream:
        stream.write(small[:512])
        stream.truncate((200 << 20) + 512)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        tracemalloc.start()
        try:
            parse_pe(memoryview(mapped))
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


def test_32_bit_images_are_refused() -> None:
    image = bytearray(build_pe(ROWS))
    struct.pack_into("<H", image, OPTIONAL_OFFSET, 0x10B)
    with pytest.raises(UnsupportedInputError, match="only PE32\\+ \\(64-bit\\) images can be measured"):
        parse_pe(memoryview(image))


def test_every_truncation_is_refused() -> None:
    image = build_pe(ROWS)
    for size in range(len(image)):
        with pytest.raises(MalformedInputError):
            parse_pe(memoryview(image[:size]))


def _parse_hostile(data: bytes) -> None:
    try:
        for span in parse_pe(memoryview(data)).authenticode_spans():
            assert 0 <= span.start < span.stop <= len(data)
    except TeekitError:
        pass


@given(st.lists(st.tuples(st.integers(0, 511), st.integers(0, 255)), min_size=1, max_size=8))
@example([(NT_OFFSET + 6, 0)])
@settings(max_examples=400)
def test_changed_headers_raise_only_our_errors(changes: list[tuple[int, int]]) -> None:
    image = bytearray(build_pe(ROWS, trailing=b"12345678", certificate=b"c" * 16))
    for offset, value in changes:
        image[offset] = value
    _parse_hostile(bytes(image))


@given(st.binary(max_size=2048))
def test_any_bytes_raise_only_our_errors(data: bytes) -> None:
    _parse_hostile(data)
    _parse_hostile(b"MZ" + data)
