"""What is inside: kernels, ELF files, PE headers, compressed files, manifests and JSON."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import struct
import subprocess
from pathlib import Path

import pytest

from builders.bzimage import build_bzimage
from builders.cpio import Entry, build_cpio
from builders.explain import BYSTANDERS, explained, named, packed, uki_of, uki_with
from builders.pe import NT_OFFSET
from builders.tools import require
from builders.uki import build_uki, default_sections
from teekit_verify.explanation.tree import Difference, Explanation, Kind

INITRD = packed(build_cpio(BYSTANDERS))


def top(explanation: Explanation) -> Difference:
    (difference,) = explanation.differences
    return difference


def kernel(version: str, payload: bytes = b"") -> bytes:
    image = bytearray(build_bzimage(version=version.encode()))
    struct.pack_into("<II", image, 0x248, 0x3000, len(payload))
    image[16 * 512 + 0x3000 : 16 * 512 + 0x3000 + len(payload)] = payload
    return bytes(image)


@pytest.mark.parametrize(
    ("a", "b", "causes"),
    [
        ("6.1 (a@x) #1 SMP Sun Nov 22 2026", "6.1 (b@x) #1 SMP Sun Nov 22 2026", ["user name"]),
        ("6.1 (a@x) #1 SMP Sun Nov 22 2026", "6.1 (a@y) #1 SMP Sun Nov 22 2026", ["host name"]),
        ("6.1 (a@x) #1 SMP Sun Nov 22 2026", "6.1 (a@x) #1 SMP Mon Nov 23 2026", ["time stamp"]),
        ("6.1 (a@x) #1 SMP", "6.1 (a@x) #2 SMP", ["kernel build number"]),
        ("6.1 (a@x) #1 SMP", "6.2 (a@x) #1 SMP", ["kernel version"]),
        ("6.1 (a@x) #1 SMP 01:02:03", "6.1 (b@y) #3 SMP 01:05:03",
         ["user name", "host name", "time stamp", "kernel build number"]),
        ("something else", "something more", []),
    ],
)  # fmt: skip
def test_the_banner_of_a_kernel(tmp_path: Path, a: str, b: str, causes: list[str]) -> None:
    found = explained(tmp_path, uki_of(INITRD, linux=kernel(a)), uki_of(INITRD, linux=kernel(b)))
    assert named(found) == [("kernel banner", causes)]
    (banner,) = top(found).children[0].children
    assert (banner.a, banner.b) == (a, b)


def test_the_kernel_inside_the_compressed_payload(tmp_path: Path) -> None:
    codes = [b"code" * 200 + b"Linux version 6.1 (ci@%s)" % host + bytes(500) for host in (b"one", b"two")]
    images = [uki_of(INITRD, linux=kernel("6.1", gzip.compress(code, mtime=0))) for code in codes]
    found = explained(tmp_path, *images)
    assert named(found) == [("kernel payload (vmlinux)", ["host name"])]
    images = [uki_of(INITRD, linux=kernel("6.1", gzip.compress(codes[0], level, mtime=0))) for level in (1, 9)]
    assert named(explained(tmp_path, *images)) == [("kernel payload", ["compression"])]
    images = [uki_of(INITRD, linux=kernel("6.1", b"\x1f\x8b" + tail)) for tail in (b"one", b"two")]
    found = explained(tmp_path, *images)
    assert found.notices[0].endswith(": image.efi > section .linux is not examined further")
    assert "kernel payload (gzip): compressed data" in found.notices[0]
    assert [section.name for section in top(found).children] == ["section .linux"]


def variant(folder: Path, name: str, *options: str) -> bytes:
    """A program of this host, changed by objcopy."""
    target = folder / name
    program = Path(require("true")).resolve()
    subprocess.run([require("objcopy"), *options, program, target], check=True, capture_output=True)
    return target.read_bytes()


def test_sections_of_an_elf_file_and_its_build_id(tmp_path: Path) -> None:
    changed = []
    for number in (1, 2):
        made = tmp_path / f"made{number}"
        made.write_bytes(f"\0built in /build/{number}/source\0".encode())
        note = tmp_path / f"note{number}"
        note.write_bytes(struct.pack("<III", 4, 20, 3) + b"GNU\0" + bytes([number]) * 20)
        options = ("--add-section", f".made={made}", "--update-section", f".note.gnu.build-id={note}")
        changed.append(variant(tmp_path, f"true{number}", *options))
    found = explained(tmp_path, uki_with(Entry("bin/true", changed[0])), uki_with(Entry("bin/true", changed[1])))
    (elf,) = top(found).children[0].children
    assert (elf.name, elf.what) == ("bin/true", "ELF file")
    assert [(section.name, [cause.name for cause in section.causes]) for section in elf.children] == [
        ("ELF section .made", ["build path"]),
        ("ELF section .note.gnu.build-id", ["build ID"]),
    ]
    assert (elf.children[1].a, elf.children[1].b) == ("01" * 20, "02" * 20)


def test_sections_that_only_one_elf_file_has(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.write_bytes(b"x")
    more, fewer = variant(tmp_path, "more", "--add-section", f".BTF={made}"), variant(tmp_path, "fewer")
    elf = top(explained(tmp_path, more, fewer, name="true"))
    assert ("ELF section .BTF", Kind.PRESENCE, "only in A") in [(one.name, one.kind, one.what) for one in elf.children]
    stripped = variant(tmp_path, "stripped", "--only-section=.text")
    elf = top(explained(tmp_path, more, stripped, name="true"))
    assert elf.children[-1].name.endswith("ELF sections")
    assert ".dynsym" in elf.children[-1].what


def test_parallel_work_shows_in_btf(tmp_path: Path) -> None:
    sides = []
    for number in (1, 2):
        made = tmp_path / f"btf{number}"
        made.write_bytes(bytes([7, number, 9]))
        sides.append(variant(tmp_path, f"k{number}", "--add-section", f".BTF={made}"))
    elf = top(explained(tmp_path, *sides, name="vmlinux"))
    assert [(one.name, one.causes[0].name) for one in elf.children] == [("ELF section .BTF", "number of CPUs")]


def test_a_build_id_alone(tmp_path: Path) -> None:
    sides = []
    for number in (1, 2):
        note = tmp_path / f"note{number}"
        note.write_bytes(struct.pack("<III", 4, 20, 3) + b"GNU\0" + bytes([number]) * 20)
        sides.append(variant(tmp_path, f"id{number}", "--update-section", f".note.gnu.build-id={note}"))
    elf = top(explained(tmp_path, *sides, name="true"))
    assert [one.name for one in elf.children] == ["ELF section .note.gnu.build-id"]
    assert elf.children[0].causes[0].usually.startswith("a number drawn at random (--build-id=uuid)")


GO_NOTE = struct.pack("<III", 4, 24, 4) + b"Go\0\0"


@pytest.mark.parametrize(
    ("section", "a", "b", "cause"),
    [
        (".comment", b"GCC: (Debian 12.2.0-14) 12.2.0\0", b"GCC: (Debian 12.2.0-15) 12.2.0\0", ["compiler version"]),
        (".gnu_debuglink", b"a.debug\0\x94\xbe\x3d\xdf", b"a.debug\0\xcb\x1b\x04\xe7", ["debug information"]),
        (".modinfo", b"vermagic=6.1.0 SMP\0", b"vermagic=6.1.1 SMP\0", ["kernel version"]),
        (
            ".note.go.buildid",
            GO_NOTE + b"a1b2c3d4e5f6g7h8i9j0K/x1",
            GO_NOTE + b"z9y8x7w6v5u4t3s2r1q0K/x2",
            ["build ID"],
        ),
        (".data.x", struct.pack("<I", 1_763_874_000), struct.pack("<I", 1_763_874_917), ["time stamp"]),
        (".text.x", struct.pack("<I", 1_763_874_000), struct.pack("<I", 1_763_874_917), []),
    ],
)
def test_a_section_with_its_cause(tmp_path: Path, section: str, a: bytes, b: bytes, cause: list[str]) -> None:
    """Numbers in code are no times."""
    sides = []
    for number, content in enumerate((a, b)):
        (tmp_path / "made").write_bytes(content)
        removed = ("--remove-section", section)
        sides.append(variant(tmp_path, f"s{number}", *removed, "--add-section", f"{section}={tmp_path / 'made'}"))
    found = explained(tmp_path, *sides, name="true")
    assert named(found) == [(f"ELF section {section}", cause)]
    assert top(found).children[0].is_code is section.startswith(".text")


def test_scripts_are_code_and_texts_are_not(tmp_path: Path) -> None:
    files = [
        [Entry("bin/run", f"#!/bin/sh\n{word}\n".encode()), Entry("etc/a", word.encode())] for word in ("ls", "rm")
    ]
    found = explained(tmp_path, *(uki_with(*entries) for entries in files))
    assert [(one.name, one.is_code) for one in top(found).children[0].children] == [("bin/run", True), ("etc/a", False)]


def test_the_signature_of_a_kernel_module(tmp_path: Path) -> None:
    """Linux scripts/sign-file.c: the signature, struct module_signature, and a magic string."""
    module = variant(tmp_path, "module.ko")
    signed = [
        module + bytes([number]) * 300 + struct.pack(">8xI", 300) + b"~Module signature appended~\n"
        for number in (7, 9)
    ]
    for sides in (signed, [module, signed[0]]):
        found = explained(tmp_path, *map(packed, sides, ("zstd", "zstd")), name="m.ko.zst")
        assert named(found) == [("module signature", ["module signature"])]
        assert [one.name for one in top(found).children[0].children] == ["module signature"]
    absurd = module + struct.pack(">8xI", 0xFFFFFFFF) + b"~Module signature appended~\n"
    assert named(explained(tmp_path, module, absurd, name="m.ko"))[0][0] == "module signature"


def test_a_damaged_elf_file_is_not_compared(tmp_path: Path) -> None:
    one, other = (b"\x7fELF\2\1\1" + bytes(9) + bytes([number]) * 10 for number in (1, 2))
    found = explained(tmp_path, one, other, name="x")
    assert top(found).what.startswith("not compared: A and B cannot be read: x: header at offset 0x0")
    assert top(found).excerpt[0].startswith("-00000010: 0101")
    assert found.notices[0].startswith("x: header at offset 0x0: pyelftools cannot read it")


def test_the_time_stamp_of_a_pe_file(tmp_path: Path) -> None:
    stamped = bytearray(uki_of(INITRD))
    struct.pack_into("<I", stamped, NT_OFFSET + 8, 1_700_000_000)
    found = explained(tmp_path, uki_of(INITRD), bytes(stamped))
    assert named(found) == [("PE time stamp", ["time stamp"])]
    assert top(found).children[0].b == "2023-11-14 22:13:20 UTC"


def test_a_header_that_differs_beside_the_time_stamp(tmp_path: Path) -> None:
    changed = bytearray(uki_of(INITRD))
    struct.pack_into("<I", changed, NT_OFFSET + 8, 1_700_000_000)
    struct.pack_into("<I", changed, NT_OFFSET + 24 + 16, 0x7777)  # AddressOfEntryPoint
    found = explained(tmp_path, uki_of(INITRD), bytes(changed))
    assert sorted(named(found)) == [("PE headers", []), ("PE time stamp", ["time stamp"])]


def test_other_headers_padding_and_signatures(tmp_path: Path) -> None:
    plain = uki_of(INITRD)
    headers, padding = bytearray(plain), bytearray(plain)
    headers[NT_OFFSET + 24 + 64] ^= 1  # CheckSum
    padding[-5:] = b"\xde\xad\xbe\xef\x55"
    assert named(explained(tmp_path, plain, bytes(headers)))[0][0] == "PE checksum"
    headers[NT_OFFSET + 24 + 70] ^= 1  # DllCharacteristics
    assert named(explained(tmp_path, plain, bytes(headers)))[0][0] == "PE headers"
    found = explained(tmp_path, plain, bytes(padding))
    assert named(found) == [("padding of section .initrd", ["uninitialised bytes"])]
    found = explained(tmp_path, plain, plain + b"trailing")
    assert [one.name for one in top(found).children] == ["padding and what follows the sections"]
    signed = [build_uki(certificate=bytes([number]) * 16) for number in (1, 2)]
    assert [one.name for one in top(explained(tmp_path, *signed)).children] == ["signature"]


@pytest.mark.parametrize(
    ("section", "cause"),
    [
        (".sbat", "boot stub version"),
        (".sdmagic", "boot stub version"),
        (".uname", "kernel version"),
        (".pcrsig", "signature"),
        (".pcrpkey", "signature"),
    ],
)
def test_a_section_of_a_uki_that_is_known_for_its_cause(tmp_path: Path, section: str, cause: str) -> None:
    rest = [one for one in default_sections() if one[0] != section]
    sides = (build_uki(sections=[*rest, (section, content)]) for content in (b"1.2.3", b"1.2.4"))
    ((name, causes),) = named(explained(tmp_path, *sides))
    assert name in {f"section {section}", f"section {section} (2)"}
    assert causes == [cause]


def test_sections_that_came_went_or_moved(tmp_path: Path) -> None:
    sections = default_sections()
    found = explained(tmp_path, build_uki(), build_uki(sections=[*sections, (".dtb", b"x")]))
    assert ("section .dtb", "only in B") in [(one.name, one.what) for one in top(found).children]
    found = explained(tmp_path, build_uki(), build_uki(sections=[sections[1], sections[0], *sections[2:]]))
    moved = next(one for one in top(found).children if one.kind is Kind.ORDER)
    assert moved.a.startswith(".text, .sdmagic, .osrel, .cmdline")
    assert moved.b.startswith(".text, .sdmagic, .cmdline, .osrel")
    twice = [*sections, (".cmdline", b"second profile")]
    found = explained(tmp_path, build_uki(sections=twice), build_uki(sections=[*sections, (".cmdline", b"x")]))
    assert [one.name for one in top(found).children] == ["section .cmdline (2)"]


@pytest.mark.parametrize("hostile", [b"", b"MZ", b"MZ" * 500, build_uki()[:300], b"\0" * 5000, build_uki(sections=[])])
def test_what_is_no_uki_is_compared_all_the_same(tmp_path: Path, hostile: bytes) -> None:
    """One build may have made rubbish; that they differ must be said all the same."""
    for one, other in ((build_uki(), hostile), (hostile, build_uki())):
        assert top(explained(tmp_path, one, other)).name == "image.efi"


def test_another_compression_of_the_same_initrd(tmp_path: Path) -> None:
    archive = build_cpio([*BYSTANDERS, Entry("big", b"abc" * 50_000)])
    one, other = (uki_of(lzma.compress(archive, preset=preset)) for preset in (0, 9))
    assert named(explained(tmp_path, one, other)) == [("section .initrd", ["compression"])]
    found = explained(tmp_path, uki_of(packed(archive)), uki_of(packed(archive, "xz")))
    (shape,) = top(found).children[0].children
    assert (shape.name, shape.a, shape.b) == ("archives in a row", "zstd", "xz")
    assert [cause.name for cause in shape.causes] == ["compression"]


def test_an_archive_twice(tmp_path: Path) -> None:
    archive = build_cpio([*BYSTANDERS])
    (shape, *rest) = top(explained(tmp_path, archive, archive + archive, name="initrd")).children
    assert (shape.what, shape.a, shape.b) == (
        f"number or compression of the archives after {len(archive)} equal bytes",
        "",
        "plain",
    )
    assert (shape.causes, next(one.what for one in rest)) == ((), "only in B")


def test_padding_after_the_trailer_is_not_taken_for_compression(tmp_path: Path) -> None:
    archive = build_cpio([*BYSTANDERS])
    found = explained(tmp_path, packed(archive + bytes(8)), packed(archive + bytes(16)), name="initrd")
    assert top(found).causes == ()
    assert [one.name for one in top(found).children] == ["content"]
    found = explained(tmp_path, archive + bytes(8), archive + bytes(16), name="initrd")
    assert (top(found).what, top(found).causes) == ("the same archives, with another number of zeros after them", ())
    assert (top(found).a, top(found).b) == ("0 bytes more", "8 bytes more")
    front = build_cpio([Entry("kernel/x86/microcode/GenuineIntel.bin", b"1")])
    found = explained(tmp_path, front + packed(archive), front + bytes(512) + packed(archive), name="initrd")
    assert named(found) == [("padding before the archives", [])]
    found = explained(tmp_path, packed(archive, "gzip"), packed(archive, "gzip") + bytes(3), name="initrd")
    assert named(found) == [("padding after archive 1", [])]
    stamped = bytearray(packed(archive, "gzip"))
    stamped[4:8] = struct.pack("<I", 1_763_874_000)
    found = explained(tmp_path, packed(archive, "gzip"), bytes(stamped), name="initrd")
    assert named(found) == [("gzip time stamp", ["gzip time stamp"])]
    found = explained(tmp_path, front + packed(archive), packed(archive) + front, name="initrd")
    assert named(found) == [("order of the entries", ["file order"]), ("archives in a row", [])]


def test_only_the_archive_that_differs_is_unpacked(tmp_path: Path) -> None:
    """The first one cannot be unpacked at all, and is equal."""
    frame = packed(build_cpio([Entry("a", b"1" * 3000)]))
    broken = frame[:30] + bytes(8) + frame[38:]
    one, other = (broken + packed(build_cpio([Entry("etc/motd", text)])) for text in (b"one\n", b"two\n"))
    found = explained(tmp_path, uki_of(one), uki_of(other))
    assert named(found) == [("etc/motd", [])]
    assert found.notices == ()


def test_a_damaged_initrd(tmp_path: Path) -> None:
    found = explained(tmp_path, uki_of(INITRD), uki_of(INITRD[:-10]))
    assert [one.name for one in top(found).children] == ["section .initrd"]
    assert found.notices[0].startswith("initrd (zstd): compressed data at offset")


def test_files_inside_compressed_files(tmp_path: Path) -> None:
    one, other = (gzip.compress(f"see /build/{name}/x\n".encode(), mtime=5) for name in ("a", "b"))
    found = explained(tmp_path, one, other, name="changelog.gz")
    assert named(found) == [("content", ["build path"])]
    found = explained(tmp_path, gzip.compress(b"x" * 999, mtime=5), lzma.compress(b"x" * 999), name="x")
    (form,) = top(found).children
    assert (form.what, form.a, form.b) == ("compressed in different ways", "gzip", "xz")
    assert [cause.name for cause in form.causes] == ["compression"]
    levels = [gzip.compress(bytes(range(256)) * 99, level, mtime=0)[:9] + b"\xff" for level in (1, 1)]
    bodies = [gzip.compress(bytes(range(256)) * 99, level, mtime=0)[10:] for level in (1, 9)]
    found = explained(tmp_path, levels[0] + bodies[0], levels[1] + bodies[1], name="x")
    assert [cause.name for cause in top(found).causes] == ["compression"]


def manifest(*packages: tuple[str, str], name: str = "image") -> bytes:
    rows = [{"type": "deb", "name": one, "version": version, "architecture": "amd64"} for one, version in packages]
    return json.dumps({"manifest_version": 1, "config": {"name": name}, "packages": rows}, indent=2).encode()


def test_package_manifests(tmp_path: Path) -> None:
    found = explained(
        tmp_path,
        manifest(("bash", "5.2-1"), ("tar", "1.35"), ("sed", "4")),
        manifest(("bash", "5.2-2"), ("tar", "1.35"), ("zsh", "5"), name="other"),
        name="image.manifest",
    )
    assert [(one.name, one.what, one.a, one.b) for one in top(found).children] == [
        ("package bash (amd64)", "another version", "5.2-1", "5.2-2"),
        ("package sed (amd64)", "only in A", "4", ""),
        ("package zsh (amd64)", "only in B", "", "5"),
        ("config name", "differs", '"image"', '"other"'),
    ]
    assert [cause.name for cause in top(found).children[0].causes] == ["package version"]
    found = explained(tmp_path, manifest(("a", "1"), ("b", "1")), manifest(("b", "1"), ("a", "1")), name="m")
    assert named(found) == [("order of the packages", ["file order"])]
    found = explained(tmp_path, manifest(), manifest().replace(b": [", b":  ["), name="m")
    assert top(found).what == "the same JSON, with its members in another order or laid out in another way"


def test_json(tmp_path: Path) -> None:
    found = explained(tmp_path, b'{"a": 1, "b": 2}', b'{"b": 2, "a": 3}', name="x.json")
    assert top(found).excerpt == ('- "a": 1,', '+ "a": 3,')
    found = explained(tmp_path, b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', name="x.json")
    assert (top(found).kind, [cause.name for cause in top(found).causes]) == (Kind.ORDER, ["hash order"])
    found = explained(tmp_path, b'{"a": 1', b'{"a": 2', name="x.json")
    assert top(found).what == "text, 1 different line"


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_a_difference_in_the_last_of_several_members(tmp_path: Path, compression: str) -> None:
    first = packed(b"the same\n" * 100, compression)
    sides = [first + packed(f"see {name}\n".encode(), compression) for name in ("this", "that")]
    found = explained(tmp_path, sides[0], sides[1], name="x.txt")
    (content,) = top(found).children
    assert (content.name, content.what) == ("content", "text, 1 different line")
    assert content.excerpt == ("-see this", "+see that")


def test_members_cut_elsewhere_are_packed_in_another_way(tmp_path: Path) -> None:
    found = explained(tmp_path, packed(b"one") + packed(b"two"), packed(b"onetwo"), name="x.txt")
    assert top(found).what == "packed in another way, what it unpacks to is equal"


def test_what_follows_the_members_is_told(tmp_path: Path) -> None:
    """Nothing is said to be equal: the bytes are compared, and a note says why."""
    found = explained(tmp_path, packed(b"one"), packed(b"one") + b"hidden", name="x.txt")
    assert "equal" not in top(found).what
    assert any("b'hidden' follows the end of what is compressed" in note for note in found.notices)


def test_skippable_frames_of_zstd_that_differ(tmp_path: Path) -> None:
    sides = [packed(b"one") + b"\x5e\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data for data in (b"ab", b"cd")]
    found = explained(tmp_path, sides[0], sides[1], name="x.txt")
    (frames,) = top(found).children
    assert (frames.name, frames.what) == ("skippable frames", "what zstd passes over differs")


def test_an_initrd_whose_archive_is_in_several_members(tmp_path: Path) -> None:
    """Linux would not take it as an initrd; as a file it is read all the same."""
    sides = []
    for text in (b"one\n", b"two\n"):
        archive = build_cpio([*BYSTANDERS, Entry("etc/x", text)])
        sides.append(packed(archive[:300], "gzip") + packed(archive[300:], "gzip"))
    assert named(explained(tmp_path, sides[0], sides[1], name="x.cpio.gz")) == [("etc/x", [])]


@pytest.mark.parametrize("compression", ["xz", "zstd"])
def test_a_kernel_payload_with_its_size_behind_it(tmp_path: Path, compression: str) -> None:
    """Linux scripts/Makefile.lib, size_append."""
    codes = [b"code" * 200 + b"see /build/%s/x" % name for name in (b"one", b"two")]
    payloads = [packed(code, compression) + len(code).to_bytes(4, "little") for code in codes]
    images = [uki_of(INITRD, linux=kernel("6.1", payload)) for payload in payloads]
    (linux,) = top(explained(tmp_path, *images)).children
    assert [child.name for child in linux.children] == ["kernel payload (vmlinux)"]


@pytest.mark.parametrize("seed", range(8))
def test_a_byte_in_packed_data_is_no_time_and_no_host(tmp_path: Path, seed: int) -> None:
    """One word in six of random bytes is a possible time, and "@" may stand in them anywhere."""
    content = bytearray(hashlib.shake_128(bytes([seed])).digest(4096))
    content[2000:2008] = struct.pack("<I", 1_763_874_000) + b"@ab#"
    other = bytearray(content)
    other[2001 if seed % 2 else 2005] ^= 1
    found = explained(tmp_path, bytes(content), bytes(other), name="data")
    assert top(found).causes == ()


def test_a_time_in_packed_data_that_a_later_build_has(tmp_path: Path) -> None:
    drawn = hashlib.shake_128(b"x").digest(4096)
    sides = [drawn[:2000] + struct.pack("<I", time) + drawn[2004:] for time in (1_763_874_000, 1_763_874_917)]
    assert [cause.name for cause in top(explained(tmp_path, *sides, name="data")).causes] == ["time stamp"]
