"""Archives as mkosi and dracut make them: microcode first, plain, then compressed ones, with zeros between."""

from __future__ import annotations

import hashlib
import os

import pytest

from builders.blobs import blob_of
from builders.cpio import Entry, build_cpio
from builders.explain import packed
from teekit_verify.artifacts import initrd
from teekit_verify.artifacts.compressed import Budget
from teekit_verify.artifacts.initrd import Member, equal_members_end, holds_archive, member_at, read_initrd
from teekit_verify.artifacts.magic import Compression
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError

MICROCODE = build_cpio([Entry("kernel/x86/microcode/GenuineIntel.bin", os.urandom(5000))], padding=512)
MAIN = packed(build_cpio([Entry("init", b"#!/bin/sh\n"), Entry("etc/x", b"1")]))


def names(data: bytes) -> list[tuple[str, str, bytes]]:
    return [
        (member.form, entry.name, b"".join(reader.content())[:1])
        for member, entry, reader in read_initrd(blob_of(data))
    ]


@pytest.mark.parametrize("compression", ["zstd", "gzip", "xz", "plain"])
def test_microcode_and_a_main_archive(compression: str) -> None:
    main = packed(build_cpio([Entry("init", b"#!")]), compression)
    found = names(MICROCODE + main + bytes(1000) + packed(build_cpio([Entry("lib/modules", b"M")]), "gzip") + bytes(3))
    assert [(form, name) for form, name, _ in found] == [
        ("plain", "kernel/x86/microcode/GenuineIntel.bin"),
        (compression, "init"),
        ("gzip", "lib/modules"),
    ]
    assert found[1][2] == b"#"


def test_archives_in_a_row_in_one_compressed_member() -> None:
    both = build_cpio([Entry("a", b"1")], padding=100) + build_cpio([Entry("b", b"2")])
    assert names(packed(both)) == [("zstd", "a", b"1"), ("zstd", "b", b"2")]


def test_where_members_begin() -> None:
    blob = blob_of(MICROCODE + bytes(300_000) + MAIN)
    assert member_at(blob, 0) == Member(0, None)
    assert member_at(blob, len(MICROCODE)) == Member(len(MICROCODE) + 300_000, Compression.ZSTD)
    assert member_at(blob, blob.size_bytes) is None
    assert member_at(blob_of(bytes(10)), 0) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"garbage", "initrd: archive at offset 0x0: expected a cpio archive, plain or compressed, found b'garbag'"),
        (MICROCODE + b"x", f"initrd: archive at offset {len(MICROCODE):#x}: expected a cpio archive, "),
        (packed(b"not cpio"), "initrd: archive at offset 0x0: something else follows the cpio archive in it"),
        (
            packed(build_cpio([Entry("a")]) + b"tail"),
            f"initrd: archive at offset {len(build_cpio([Entry('a')])):#x}: something else follows the cpio archive",
        ),
    ],
)
def test_what_is_no_initrd(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInputError) as caught:
        names(data)
    assert caught.value.message.startswith(message)


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedInputError, match="unpacks to more bytes than this program reads"):
        list(read_initrd(blob_of(MAIN), budget=Budget(200)))
    monkeypatch.setattr(initrd, "_MAX_MEMBERS", 2)
    with pytest.raises(UnsupportedInputError, match="more than 2 archives in a row"):
        names(MAIN * 3)


def test_whole_members_in_an_equal_beginning() -> None:
    blob = blob_of(MICROCODE + MAIN + MAIN)
    assert equal_members_end(blob, len(MICROCODE) - 600) == 0
    assert equal_members_end(blob, len(MICROCODE)) == len(MICROCODE)
    assert equal_members_end(blob, len(MICROCODE) + len(MAIN) + 5) == len(MICROCODE) + len(MAIN)
    gzipped = packed(build_cpio([Entry("a")]), "gzip")
    assert equal_members_end(blob_of(gzipped + MAIN), len(gzipped) + 5) == 0  # its end is not known without unpacking


def test_what_everything_unpacks_to() -> None:
    plain, both = build_cpio([Entry("a", b"1")], padding=12), build_cpio([Entry("b", b"2")], padding=3)
    wanted = hashlib.sha256(plain + both + both).digest()
    for gap in (b"", bytes(99)):
        data = plain + packed(both, "xz") + gap + packed(both)
        assert initrd.plain_digest(blob_of(data), 0) == wanted
    assert initrd.plain_digest(blob_of(plain + both[:-3]), len(plain)) == hashlib.sha256(both[:-3]).digest()


@pytest.mark.parametrize(
    ("data", "holds"), [(MICROCODE, True), (MAIN, True), (packed(b"text"), False), (b"text", False), (b"", False)]
)
def test_whether_it_is_an_archive(data: bytes, holds: bool) -> None:  # noqa: FBT001
    assert holds_archive(blob_of(data)) is holds
