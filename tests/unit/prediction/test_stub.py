"""Which sections a stub uses, the initrd and the command line it hands over, and what is refused.

The expected values follow from systemd's sources; test_boot checks the same against real boots.
"""

from __future__ import annotations

import re
import struct

import pytest

from builders.pe import CERTIFICATE_ENTRY_OFFSET, Row, build_pe, section_table_offset
from builders.uki import build_uki, default_sections, kernel, magic, stub_rows
from teekit_verify.artifacts.pe import Span
from teekit_verify.artifacts.uki import parse_uki
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.prediction.stub import StubView, profile_number, profiles, stub_view
from teekit_verify.prediction.stub_cpio import extra_file
from teekit_verify.prediction.stub_releases import BEHAVIOURS
from teekit_verify.prediction.stub_sections import in_memory

LINUX = (".linux", kernel())


def archive(name: str, content: bytes) -> bytes:
    before, after = extra_file(name, len(content))
    return before + content + after


def view(version: str, *sections: tuple[str, bytes]) -> StubView:
    return stub_view(parse_uki(build_uki(version, [LINUX, *sections])))


def content(seen: StubView, name: str) -> bytes | None:
    section = seen.get(name)
    return None if section is None else bytes(seen.uki.content(section))


def initrd(seen: StubView) -> bytes | None:
    message = seen.initrd()
    if message is None:
        return None
    data = seen.uki.data
    return b"".join(bytes(data[part.start : part.stop]) if isinstance(part, Span) else part for part in message)


@pytest.mark.parametrize("version", ["251", "263", "999", "9999", "258~rc1", "262~rc2", "257-rc1"])
def test_versions_nobody_looked_into_are_refused(version: str) -> None:
    with pytest.raises(
        UnsupportedInputError, match=rf"systemd-stub {version}: what this version measures is not known"
    ) as e:
        view(version)
    assert e.value.hint == "Build the UKI with one of these, or update teekit-verify."


@pytest.mark.parametrize(
    "version", ["252-46.el8", "256-3.el10", "252.4-598.13.hs+fb.el9", "252-46.el9_5.alma.1", "257.4-1.el9"]
)
def test_other_peoples_builds_for_red_hat_are_refused(version: str) -> None:
    with pytest.raises(UnsupportedInputError, match=r"known are 252, .*, 262, and Red Hat's 252 and 257"):
        view(version)


@pytest.mark.parametrize(
    ("version", "measured", "options"),
    [
        ("252-1.el9", [], "\tquiet \n"),
        ("252-14.el9_2.11", [], " quiet  "),
        ("252-18.el9", [], " quiet  "),
        ("252-19.el9", [], " quiet  "),
        ("252-20.el9", [".uname", ".sbat"], " quiet  "),
        ("252-32.el9_4.7", [".uname", ".sbat"], " quiet  "),
        ("252-76.el9", [".uname", ".sbat"], " quiet  "),
        ("257-23.el10_2.1", [".uname", ".sbat", ".hwids"], "quiet"),
    ],
)
def test_red_hats_builds(version: str, measured: list[str], options: str) -> None:
    """redhat-plumbers/systemd-rhel9, tags v252-1 to v252-76: tpm-pcr.h and util.c of each; systemd-rhel10 has 257's stub."""
    rows = [(".cmdline", b"\tquiet \n"), (".uname", b"5.14.0"), (".sbat", b"sbat"), (".hwids", b"x")]
    seen = view(version, *rows)
    assert [section.name for section in seen.measured] == [".linux", ".cmdline", *measured]
    assert seen.load_options() == f"{options}\0".encode("utf-16-le")


@pytest.mark.parametrize(
    ("version", "options"),
    [
        ("252", "\tquiet \n"),
        ("252.2-3", "\tquiet \n"),
        ("252.3", " quiet  "),
        ("252.5-2ubuntu3", " quiet  "),
        ("252.6", " quiet"),
        ("252.39-1~deb12u2", " quiet"),
        ("253.1", " quiet"),
    ],
)
def test_252_strips_white_space_from_252_6_on(version: str, options: str) -> None:
    """systemd-stable, src/boot/efi/util.c of each tag: mangle_stub_cmdline() came in 252.3, "chomp the trailing" in 252.6."""
    seen = view(version, (".cmdline", b"\tquiet \n"))
    assert seen.load_options() == f"{options}\0".encode("utf-16-le")


def test_the_first_252_reads_on_behind_a_full_page() -> None:
    with pytest.raises(UnsupportedInputError, match=r"the UKI's \.cmdline fills its page"):
        view("252", (".cmdline", b"x" * 4096)).load_options()
    assert view("252", (".cmdline", b"x" * 4095)).load_options() is not None


@pytest.mark.parametrize("major", BEHAVIOURS)
def test_measured_sections_come_in_the_order_of_the_source_and_not_of_the_file(major: int) -> None:
    names = [".pcrsig", ".hwids", ".ucode", ".sbat", ".uname", ".splash", ".initrd", ".dtb", ".osrel", ".cmdline"]
    seen = view(str(major), *((name, b"x") for name in names))
    common = [".linux", ".osrel", ".cmdline", ".initrd"]
    old = [*common, ".splash", ".dtb"]
    middle = [*old, ".uname", ".sbat"]
    new = [*common, ".ucode", ".splash", ".dtb", ".uname", ".sbat"]
    expected = {252: old, 253: old, 254: middle, 255: middle, 256: new}
    assert [section.name for section in seen.measured] == expected.get(major, [*new, ".hwids"])


@pytest.mark.parametrize(
    ("major", "measures_to_cc", "firmware_loads_kernel"),
    [
        (253, False, True),
        (255, False, True),
        (256, True, True),
        (257, True, True),
        (258, True, False),
        (260, True, False),
    ],
)
def test_what_changed_when(major: int, measures_to_cc: bool, firmware_loads_kernel: bool) -> None:  # noqa: FBT001
    """Systemd NEWS: 256 (CC measurement besides the TPM); pull request 37372 (the kernel without LoadImage) is in 258."""
    found = BEHAVIOURS[major]
    assert (found.measures_to_cc, found.firmware_loads_kernel) == (measures_to_cc, firmware_loads_kernel)


def test_stub_256_packs_microcode_and_signatures_and_nothing_else() -> None:
    """combine_initrds() of v256: all parts are padded, also a single .ucode; os-release and profiles came with 257."""
    sections = ((".osrel", b"ID=x\n"), (".initrd", b"12345"), (".ucode", b"uc"), (".pcrsig", b"{}"))
    assert initrd(view("256.4", *sections)) == b"uc\0\0" + b"12345\0\0\0" + archive("tpm2-pcr-signature.json", b"{}")
    assert initrd(view("256.4", (".ucode", b"uc"))) == b"uc\0\0"
    assert initrd(view("256.4", (".initrd", b"12345"))) == b"12345"


def test_empty_sections_do_not_exist() -> None:
    assert view("257", (".osrel", b"")).get(".osrel") is None


def test_profile_0_overrides_the_base_and_other_profiles_do_not_count() -> None:
    seen = view(
        "257",
        *((".cmdline", b"base"), (".osrel", b"ID=base\n")),
        *((".profile", b"ID=main\n"), (".cmdline", b"main"), (".cmdline", b"main again")),
        *((".profile", b"ID=debug\n"), (".cmdline", b"debug"), (".initrd", b"debug initrd")),
    )
    assert content(seen, ".cmdline") == b"main"
    assert content(seen, ".osrel") == b"ID=base\n"
    assert content(seen, ".profile") == b"ID=main\n"
    assert seen.get(".initrd") is None


def test_the_first_section_of_a_name_wins_from_257() -> None:
    assert content(view("257", (".cmdline", b"first"), (".cmdline", b"second")), ".cmdline") == b"first"


@pytest.mark.parametrize(
    ("name", "counts_as"), [(".cmdline", ".cmdline"), (".dtbauto", ".dtb"), (".initrd2", ".initrd")]
)
def test_the_last_section_that_begins_with_a_name_wins_up_to_256(name: str, counts_as: str) -> None:
    """locate_sections() of 252 to 256: memcmp() over the length of the known name, under which it is measured."""
    seen = view("255", (counts_as, b"a"), (name, b"b"))
    assert content(seen, counts_as) == b"b"
    assert [section.name for section in seen.measured] == [".linux", counts_as]


@pytest.mark.parametrize(("version", "expected"), [("257", b"second"), ("260.4", b"second"), ("256", b"second")])
def test_an_empty_profile_still_divides(version: str, expected: bytes) -> None:
    """The hostile case: what comes after the empty .profile is the default profile's, and replaces the base's."""
    assert (
        content(view(version, (".cmdline", b"first"), (".profile", b""), (".cmdline", b"second")), ".cmdline")
        == expected
    )


@pytest.mark.parametrize(
    ("version", "sections", "expected"),
    [
        ("257", [(".cmdline", b""), (".cmdline", b"second")], None),
        ("257", [(".cmdline", b"first"), (".cmdline", b"")], b"first"),
        ("257", [(".cmdline", b"base"), (".profile", b"ID=p"), (".cmdline", b"")], None),
        ("255", [(".cmdline", b"first"), (".cmdline", b"")], None),
        ("255", [(".cmdline", b""), (".cmdline", b"second")], b"second"),
    ],
)
def test_an_empty_section_hides_a_full_one(
    version: str, sections: list[tuple[str, bytes]], expected: bytes | None
) -> None:
    seen = view(version, *sections)
    assert content(seen, ".cmdline") == expected
    assert (seen.load_options() is None) is (expected is None)


def test_other_profiles() -> None:
    uki = parse_uki(
        build_uki(
            "257",
            [
                *(LINUX, (".cmdline", b"base"), (".profile", b"ID=main\n")),
                *((".profile", b"ID=debug\n"), (".cmdline", b"debug"), (".profile", b"")),
            ],
        )
    )
    assert [content(stub_view(uki, number), ".cmdline") for number in range(3)] == [b"base", b"debug", b"base"]
    assert [content(stub_view(uki, number), ".profile") for number in range(3)] == [b"ID=main\n", b"ID=debug\n", None]
    with pytest.raises(TeekitError, match="the UKI has no profile 3: there are 3, counted from 0"):
        stub_view(uki, 3)
    with pytest.raises(TeekitError, match="systemd-stub 255 does not support profiles"):
        stub_view(parse_uki(build_uki("255")), 1)


def test_the_release_is_that_of_the_kernel_that_is_started() -> None:
    kernels = [(".linux", kernel("6.1.0")), (".linux", kernel("6.12.0"))]
    assert stub_view(parse_uki(build_uki("257", kernels))).kernel_release() == "6.1.0"
    assert stub_view(parse_uki(build_uki("255", kernels))).kernel_release() == "6.12.0"


def test_raw_data_of_an_empty_section_is_loaded_too() -> None:
    """edk2's PeCoffLoaderLoadImage() reads all of SizeOfRawData where VirtualSize is 0: over whatever is there."""
    rows = [*stub_rows("257"), Row(".linux", LINUX[1], at=0x10000), Row(".more", b"x" * 8, virtual_size=0, at=0x10010)]
    with pytest.raises(UnsupportedInputError, match=r"UKI section \.linux overlaps section \.more in memory"):
        stub_view(parse_uki(build_pe([*rows, Row(".end", b"x")])))


def test_a_section_over_the_headers_is_refused() -> None:
    rows = [*stub_rows("257"), Row(".linux", LINUX[1]), Row(".more", b"x" * 8, at=0x100)]
    with pytest.raises(UnsupportedInputError, match=r"UKI section \.more is loaded over the PE headers"):
        stub_view(parse_uki(build_pe(rows)))


@pytest.mark.parametrize(
    ("page", "entry", "problem"),
    [
        (0x10000, 0xA010, "the UKI's relocations rewrite 0x10010, in its headers or in what systemd-stub measures"),
        (0xF000, 0xAFFC, "the UKI's relocations rewrite 0xfffc, in its headers or in what systemd-stub measures"),
        (0, 0x3100, "the UKI's relocations rewrite 0x100, in its headers or in what systemd-stub measures"),
        (0x10000, 0x0010, None),
        (0x40000, 0xA010, None),
        (0x10000, 0x5010, "base relocations: the block at 0x0 has an entry of type 5"),
    ],
)
def test_relocations_that_change_what_is_measured_are_refused(page: int, entry: int, problem: str | None) -> None:
    """Microsoft PE format: a block has the page's address and its own size, then type << 12 | offset."""
    block = struct.pack("<IIHH", page, 12, entry, 0)
    rows = [
        *stub_rows("257"),
        Row(".linux", LINUX[1], at=0x10000),
        Row(".reloc", block, at=0x30000),
        Row(".e", b"", at=0x80000),
    ]
    data = bytearray(build_pe(rows))
    struct.pack_into("<II", data, CERTIFICATE_ENTRY_OFFSET + 8, 0x30000, len(block))
    if problem is None:
        assert stub_view(parse_uki(bytes(data))).linux
        return
    with pytest.raises(UnsupportedInputError, match=re.escape(problem)):
        stub_view(parse_uki(bytes(data)))


def test_more_than_96_sections_before_257() -> None:
    sections = [LINUX, *[(".x", b"")] * 97]
    with pytest.raises(UnsupportedInputError, match="the UKI has 100 sections: whether this systemd-stub starts with"):
        stub_view(parse_uki(build_uki("254", sections)))
    assert stub_view(parse_uki(build_uki("257", sections))).linux


@pytest.mark.parametrize(
    ("version", "name"), [("257", ".dtbauto"), ("258", ".efifw"), ("259", ".dtbauto"), ("260", ".efifw")]
)
def test_sections_chosen_by_hardware_are_refused(version: str, name: str) -> None:
    with pytest.raises(UnsupportedInputError, match=f"a {name} section: whether it is used and measured depends on"):
        view(version, (name, b"x"))


def test_a_kernel_only_in_another_profile_is_refused() -> None:
    uki = parse_uki(build_uki("257", [(".profile", b"a"), (".profile", b"b"), LINUX]))
    with pytest.raises(UnsupportedInputError, match=r"no \.linux section for its profile 0"):
        _ = stub_view(uki).linux


def test_sections_that_share_memory_are_refused() -> None:
    rows = [*stub_rows("257"), Row(".linux", LINUX[1], at=0x10000), Row(".more", b"x" * 8, at=0x10010)]
    with pytest.raises(UnsupportedInputError, match=r"UKI section \.linux overlaps section \.more in memory"):
        stub_view(parse_uki(build_pe(rows)))


def test_overlap_outside_of_what_is_measured_is_harmless() -> None:
    """ukify 257 with a stub of 252: .sbat has grown into .sdmagic, and 252 measures neither."""
    data = bytearray(build_uki("252", [(".sbat", b"s" * 100), LINUX]))
    row = section_table_offset() + 2 * 40
    struct.pack_into("<I", data, row + 12, struct.unpack_from("<I", data, row - 40 + 12)[0])
    assert [section.name for section in stub_view(parse_uki(bytes(data))).measured] == [".linux"]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (0x10060, b"s" * 96 + b"####"),
        (0x10010, (b"s" * 16 + magic("252-76.el9") + b"s" * 84)[:100]),
        (0x10064, b"s" * 100),
    ],
)
def test_the_version_over_the_end_of_sbat(at: int, expected: bytes) -> None:
    """As ukify of Red Hat's 252 leaves them: the loader copies .sdmagic later, and the stub measures what lies in memory."""
    rows = [Row(".text", b"stub"), Row(".sbat", b"s" * 100, at=0x10000), Row(".sdmagic", magic("252-76.el9"), at=at)]
    uki = parse_uki(build_pe([*rows, Row(".linux", LINUX[1], at=0x20000)]))
    measured = next(row for row in stub_view(uki).measured if row.name == ".sbat")
    assert b"".join(bytes(uki.data[span.start : span.stop]) for span in in_memory(measured, uki)) == expected


@pytest.mark.parametrize(
    ("name", "before"), [(".other", False), (".sdmagic", True)], ids=["another section", "loaded before"]
)
def test_nothing_else_may_lie_over_sbat(name: str, before: bool) -> None:  # noqa: FBT001
    sbat, other = Row(".sbat", b"s" * 100, at=0x10000), Row(name, magic("252-76.el9"), at=0x10060)
    rows = [other, sbat] if before else [sbat, other]
    rows += [] if name == ".sdmagic" else [Row(".sdmagic", magic("252-76.el9"))]
    with pytest.raises(UnsupportedInputError, match=rf"UKI section \.sbat overlaps section \{name} in memory"):
        stub_view(parse_uki(build_pe([*rows, Row(".linux", LINUX[1], at=0x20000)])))


def test_a_single_initrd_is_handed_over_as_it_is() -> None:
    assert initrd(view("255", (".initrd", b"12345"), (".osrel", b"ID=x\n"))) == b"12345"
    assert initrd(view("257", (".initrd", b"12345"))) == b"12345"


def test_no_initrd() -> None:
    assert view("255", (".osrel", b"ID=x\n")).initrd() is None


def test_parts_are_padded_and_come_in_order() -> None:
    seen = view(
        "257",
        *((".profile", b"ID=p\n"), (".osrel", b"ID=x\n"), (".initrd", b"12345"), (".ucode", b"uc")),
        *((".pcrpkey", b"key"), (".pcrsig", b"{}")),
    )
    assert initrd(seen) == b"".join(
        [
            *(b"uc\0\0", b"12345\0\0\0"),
            *(archive("tpm2-pcr-signature.json", b"{}"), archive("tpm2-pcr-public-key.pem", b"key")),
            *(archive("os-release", b"ID=x\n"), archive("profile", b"ID=p\n")),
        ]
    )


def test_before_257_only_the_signature_and_its_key_are_packed() -> None:
    seen = view("252", (".initrd", b"12345"), (".osrel", b"ID=x\n"), (".pcrsig", b"{}"), (".profile", b"ID=p\n"))
    assert initrd(seen) == b"12345\0\0\0" + archive("tpm2-pcr-signature.json", b"{}")


@pytest.mark.parametrize(
    ("version", "section", "expected"),
    [
        ("257", b"quiet", "quiet"),
        ("257", b" \t\nquiet\tsplash\x7f \r\n\n", "quiet splash"),
        ("257", b"a  b\0ignored", "a  b"),
        ("252.39", b"\tquiet\x7f \r\n", " quiet\x7f"),
        ("252", b"  quiet\0 ignored", "  quiet"),
        ("255", b"  quiet\t", "quiet"),
    ],
)
def test_load_options(version: str, section: bytes, expected: str) -> None:
    """mangle_stub_cmdline() of that version; then UTF-16LE with a NUL."""
    assert view(version, (".cmdline", section)).load_options() == expected.encode("utf-16-le") + b"\0\0"


@pytest.mark.parametrize(
    ("version", "cmdline", "is_open"),
    [
        ("262.1-1", b"quiet", True),
        ("261.3", b"quiet myconsole=1 console", True),
        ("262.1-1", b"quiet console=ttyS0", False),
        ("262.1-1", b"console=hvc0 quiet", False),
        ("260.4", b"quiet", False),
    ],
)
def test_a_console_of_the_machine(version: str, cmdline: bytes, is_open: bool) -> None:  # noqa: FBT001
    """cmdline_append_console(): nothing where `console=*` or `* console=*` fits the command line."""
    assert view(version, (".cmdline", cmdline)).open_console() is is_open


def test_profiles_by_number_and_id() -> None:
    sections = [LINUX, (".profile", b"ID=main\nTITLE=x\n"), (".profile", b'TITLE=y\nID="debug"\n'), (".profile", b"")]
    uki = parse_uki(build_uki("257", sections))
    assert profiles(uki) == ("main", "debug", "")
    assert [profile_number(uki, text) for text in ("0", "main", "1", "debug", "2")] == [0, 0, 1, 1, 2]
    for text in ("3", "", "x", "-1", "\u0661"):
        with pytest.raises(TeekitError, match=r"the UKI has no profile .*: there are 0 \(main\), 1 \(debug\), 2"):
            profile_number(uki, text)
    twice = parse_uki(build_uki("257", [*sections, (".profile", b"ID=main\n")]))
    with pytest.raises(TeekitError, match="the UKI has more than one profile main"):
        profile_number(twice, "main")
    assert profiles(parse_uki(build_uki("255", sections))) == ("",)
    assert profile_number(parse_uki(build_uki("255", sections)), "0") == 0


def test_no_cmdline() -> None:
    assert view("257").load_options() is None


def test_command_lines_that_are_not_understood_are_refused() -> None:
    with pytest.raises(UnsupportedInputError, match=r"\.cmdline is not plain ASCII of at most 65536 bytes"):
        view("257", (".cmdline", "größe=1".encode())).load_options()
    with pytest.raises(UnsupportedInputError, match=r"\.cmdline is not plain ASCII of at most 65536 bytes"):
        view("257", (".cmdline", b"x" * 65537)).load_options()
    with pytest.raises(UnsupportedInputError, match=r"\.cmdline holds only white space"):
        view("257", (".cmdline", b" \n")).load_options()


def test_the_default_sections_are_all_used() -> None:
    seen = stub_view(parse_uki(build_uki()))
    assert {section.name for section in seen.chosen} == {name for name, _ in default_sections()}
