"""UKIs: opening, sections, stub versions, and what is refused."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.pe import AARCH64, Row, build_pe
from builders.tools import require
from builders.uki import CMDLINE, build_uki, default_sections, kernel, magic, stub_rows
from teekit_verify.artifacts.uki import StubVersion, open_uki, parse_uki
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError

STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")


def test_a_uki_made_with_objcopy_from_the_installed_stub(tmp_path: Path) -> None:
    """The way to make a UKI before ukify; sections come back as the files they were made from."""
    if not STUB.exists():
        require("linuxx64.efi.stub (systemd-boot-efi)")
    listed = subprocess.run([require("objdump"), "-h", STUB], check=True, capture_output=True, text=True).stdout
    used = [int(address, 16) for address in re.findall(r"^ +\d+ \S+ +\S+ +([0-9a-f]+)", listed, re.MULTILINE)]
    free = (max(used) & ~0xFFFF) + 0x10000
    arguments: list[str] = []
    for number, (name, content) in enumerate(default_sections()):
        file = tmp_path / name
        file.write_bytes(content)
        arguments += ["--add-section", f"{name}={file}"]
        arguments += ["--change-section-vma", f"{name}={free + number * 0x10000:#x}"]
    output = tmp_path / "uki.efi"
    subprocess.run([require("objcopy"), *arguments, STUB, output], check=True, capture_output=True)
    with open_uki(output) as uki:
        assert {name: bytes(uki.content(uki.named(name)[0])) for name, _ in default_sections()} == dict(
            default_sections()
        )
        installed = subprocess.run([require("strings"), STUB], check=True, capture_output=True, text=True).stdout
        assert f"#### LoaderInfo: systemd-stub {uki.stub_version.text} ####" in installed
        assert uki.stub_version.text.startswith(str(uki.stub_version.major))


def test_sections_keep_file_order_and_duplicates() -> None:
    uki = parse_uki(build_uki(sections=[*default_sections(), (".cmdline", b"second"), (".empty", b"")]))
    assert [row.name for row in uki.sections] == [
        *(".text", ".sdmagic", ".osrel", ".cmdline", ".uname", ".linux", ".initrd", ".cmdline", ".empty")
    ]
    assert [bytes(uki.content(row)) for row in uki.named(".cmdline")] == [CMDLINE, b"second"]
    assert uki.named(".empty") == ()


def test_texts_to_look_at() -> None:
    uki = parse_uki(build_uki())
    assert uki.text(".cmdline") == CMDLINE.decode()
    assert uki.text(".osrel") == "ID=teekit\nVERSION_ID=1\n"
    assert uki.text(".splash") is None


@pytest.mark.parametrize(
    ("text", "major"), [("257.13-1~deb13u1", 257), ("252.39-1~deb12u2", 252), ("259", 259), ("258~rc2", 258)]
)
def test_stub_version(text: str, major: int) -> None:
    assert parse_uki(build_uki(text)).stub_version == StubVersion(major, text)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([Row(".linux", kernel())], "expected one .sdmagic section, found 0: the version of systemd-stub is unknown"),
        (
            [Row(".linux", kernel()), *2 * [Row(".sdmagic", magic("257"))]],
            "expected one .sdmagic section, found 2",
        ),
        (
            [Row(".linux", kernel()), Row(".sdmagic", b"#### LoaderInfo: my-stub\x1b 1 ####")],
            r".sdmagic does not name a systemd-stub version: #### LoaderInfo: my-stub\\x1b 1 ####",
        ),
        ([*stub_rows("257"), Row(".cmdline", b"debug")], "UKI: no .linux section: this is a UKI addon"),
        ([Row(".text", b"x")], "UKI: no .linux section: this is not a UKI"),
        ([*stub_rows("257"), Row(".linux", b"")], "UKI: no .linux section"),
    ],
)
def test_what_is_no_uki_is_refused(rows: list[Row], message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=message) as caught:
        parse_uki(build_pe(rows))
    assert caught.value.hint


def test_other_machines_are_refused() -> None:
    with pytest.raises(UnsupportedInputError, match="machine type 0xaa64 is not x86-64"):
        parse_uki(build_pe(stub_rows("257"), machine=AARCH64))


def test_kernel_release_comes_from_the_kernel_and_else_from_uname() -> None:
    rows = [(".linux", kernel("6.8.1-cloud")), (".uname", b"5.0\0")]
    assert parse_uki(build_uki(sections=rows)).kernel_release() == "6.8.1-cloud"
    assert parse_uki(build_uki(sections=[(".linux", b"no bzImage"), rows[1]])).kernel_release() == "5.0"
    assert parse_uki(build_uki(sections=[(".linux", b"no bzImage")])).kernel_release() is None
    broken = bytearray(kernel())
    broken[0x20E:0x210] = b"\xff\xff"
    assert parse_uki(build_uki(sections=[(".linux", bytes(broken)), rows[1]])).kernel_release() == "5.0"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with (
        pytest.raises(TeekitError, match=r"absent\.efi: cannot be read: No such file"),
        open_uki(tmp_path / "absent.efi"),
    ):
        pass


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(TeekitError, match="cannot be read: Is a directory"), open_uki(tmp_path):
        pass


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.efi"
    path.touch()
    with (
        pytest.raises(MalformedInputError, match="file size at offset 0x0: 0 bytes is not 1 byte to 4 GiB"),
        open_uki(path),
    ):
        pass


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "text.efi"
    path.write_text("hello")
    with pytest.raises(MalformedInputError, match=r"text\.efi: DOS signature at offset 0x0"), open_uki(path):
        pass


def test_a_kept_piece_outlives_the_file_without_harm(tmp_path: Path) -> None:
    path = tmp_path / "uki.efi"
    path.write_bytes(build_uki())
    with open_uki(path) as uki:
        piece = uki.content(uki.named(".cmdline")[0])
    assert bytes(piece) == CMDLINE
    with pytest.raises(ValueError, match="released"):
        _ = uki.data[0]


@given(offset=st.integers(0, 4000), value=st.binary(min_size=1, max_size=8))
@settings(max_examples=300)
def test_changed_bytes_raise_only_our_errors(offset: int, value: bytes) -> None:
    data = bytearray(build_uki())
    data[offset : offset + len(value)] = value
    try:
        uki = parse_uki(bytes(data))
        uki.kernel_release()
        for row in uki.sections:
            uki.content(row)
    except TeekitError:
        pass


def test_every_truncation_is_refused() -> None:
    data = build_uki()
    for size in (*range(0, 1100, 7), *range(1100, len(data), 97), len(data) - 1):
        with pytest.raises(TeekitError):
            parse_uki(data[:size])
