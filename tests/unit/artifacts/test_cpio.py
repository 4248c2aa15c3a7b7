"""cpio(1) makes and lists the archives; hostile ones are made field by field."""

from __future__ import annotations

import io
import os
import stat
import subprocess
from pathlib import Path

import pytest

from builders.cpio import DEVICE, Entry, build_cpio
from builders.tools import require
from teekit_verify.artifacts import cpio
from teekit_verify.artifacts.cpio import CpioEntry, CpioReader
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError


def read(archive: bytes) -> list[tuple[CpioEntry, bytes]]:
    reader = CpioReader(io.BufferedReader(io.BytesIO(archive)), "initrd")
    found = [(entry, b"".join(reader.content())) for entry in reader]
    assert reader.position <= len(archive)
    return found


def made_by_cpio(folder: Path, form: str) -> bytes:
    names = "\n".join(sorted(str(path.relative_to(folder)) for path in folder.rglob("*")))
    argv = [require("cpio"), "-o", "-H", form, "--quiet", "--reproducible"]
    return subprocess.run(argv, input=names.encode() + b"\n", cwd=folder, check=True, capture_output=True).stdout


@pytest.mark.parametrize("form", ["newc", "crc"])
def test_what_cpio_packed(tmp_path: Path, form: str) -> None:
    (tmp_path / "etc").mkdir(mode=0o750)
    (tmp_path / "etc/odd").write_bytes(b"12345")
    (tmp_path / "etc/odd").chmod(0o4711)
    (tmp_path / "etc/link").symlink_to("odd")
    (tmp_path / "etc/ünicode").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    os.utime(tmp_path / "etc/odd", (1, 1_700_000_000))
    archive = made_by_cpio(tmp_path, form)
    found = {entry.name: (entry, content) for entry, content in read(archive)}
    assert list(found) == ["etc", "etc/link", "etc/odd", "etc/ünicode", "pipe"]
    for name, (entry, _) in found.items():
        facts = (tmp_path / name).lstat()
        assert (entry.mode, entry.uid, entry.gid) == (facts.st_mode, facts.st_uid, facts.st_gid)
    assert found["etc/odd"][1] == b"12345"
    assert found["etc/odd"][0].mtime == 1_700_000_000
    assert found["etc/odd"][0].check == (sum(b"12345") if form == "crc" else 0)
    assert found["etc/link"][1] == b"odd"
    assert stat.S_ISFIFO(found["pipe"][0].mode)


def test_our_builder_makes_what_cpio_reads() -> None:
    """Otherwise the tests below say nothing."""
    archive = build_cpio([Entry("a", b"xyz", mtime=1), Entry("b/c", mode=DEVICE | 0o600, device=(1, 3))])
    argv = [require("cpio"), "-itv", "--quiet", "--numeric-uid-gid"]
    listed = subprocess.run(argv, input=archive, check=True, capture_output=True).stdout.decode().splitlines()
    assert [line.split()[0] for line in listed] == ["-rw-r--r--", "crw-------"]
    assert [line.split()[-1] for line in listed] == ["a", "b/c"]
    assert "1,   3" in listed[1]


def test_archives_in_a_row_with_zeros_between() -> None:
    archive = build_cpio([Entry("a", b"1")], padding=4096) + build_cpio([Entry("b", b"2"), Entry("a")], padding=3)
    assert [(entry.name, entry.archive, content) for entry, content in read(archive)] == [
        ("a", 0, b"1"),
        ("b", 1, b"2"),
        ("a", 1, b""),
    ]


def test_content_that_is_not_asked_for_is_passed_over() -> None:
    archive = build_cpio([Entry("a", bytes(1_000_001)), Entry("b", b"2")])
    reader = CpioReader(io.BufferedReader(io.BytesIO(archive)), "initrd")
    assert [entry.name for entry in reader] == ["a", "b"]
    assert reader.position == len(archive)


def test_it_ends_before_something_else() -> None:
    reader = CpioReader(io.BufferedReader(io.BytesIO(build_cpio([Entry("a")]) + b"\0\0\x1f\x8b")), "x")
    assert [entry.name for entry in reader] == ["a"]
    assert reader.position == len(build_cpio([Entry("a")])) + 2


def test_no_trailer() -> None:
    assert [entry.name for entry, _ in read(build_cpio([Entry("a", b"1234")], trailer=False))] == ["a"]


GOOD = build_cpio([Entry("name", b"content")])


def patched(offset: int, data: bytes) -> bytes:
    return GOOD[:offset] + data + GOOD[offset + len(data) :]


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (GOOD[:50], "initrd (cpio): header at offset 0x0: needs 110 bytes, 50 are left"),
        (GOOD[:112], "initrd (cpio): name at offset 0x6e: needs 6 bytes, 2 are left"),
        (GOOD[:119], "initrd (cpio): content at offset 0x74: needs 7 bytes, 3 are left"),
        (GOOD[:150], "initrd (cpio): header at offset 0x7c: needs 110 bytes, 26 are left"),
        (patched(0, b"070707"), "initrd (cpio): magic at offset 0x0: expected 070701 or 070702, found b'070707'"),
        (patched(14, b"0x"), "initrd (cpio): header at offset 0x6: has characters that are not hexadecimal digits"),
        (patched(14, b"+1"), "initrd (cpio): header at offset 0x6: has characters that are not hexadecimal digits"),
        (patched(94, b"%08x" % 1), "initrd (cpio): name size at offset 0x5e: 1 is not 2 to 4096 bytes"),
        (patched(94, b"%08x" % 5000), "initrd (cpio): name size at offset 0x5e: 5000 is not 2 to 4096 bytes"),
        (patched(94, b"%08x" % 4), "initrd (cpio): name at offset 0x6e: is not a single string that ends with NUL"),
        (patched(111, b"\0"), "initrd (cpio): name at offset 0x6e: is not a single string that ends with NUL"),
    ],
)
def test_damaged_archives(archive: bytes, message: str) -> None:
    with pytest.raises(MalformedInputError) as caught:
        read(archive)
    assert caught.value.message == message


def test_too_many_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = build_cpio([Entry(f"{number}") for number in range(3)])
    for limit in ("_MAX_ENTRIES", "_MAX_NAMES_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(cpio, limit, 2)
            with pytest.raises(UnsupportedInputError, match="initrd: has 3 entries or more, too many for an initrd"):
                read(archive)


def test_a_name_in_no_encoding() -> None:
    ((entry, _),) = read(build_cpio([Entry("caf\udce9")]))
    assert entry.name == "caf\udce9"
