"""Where two artifacts differ. `cmp` says what the first different byte is; the sections of UKIs are made by the test."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.tools import require
from builders.uki import build_uki, default_sections
from teekit_verify.rebuild import comparison
from teekit_verify.rebuild.comparison import ArtifactDifference, compare_artifacts, first_difference

if TYPE_CHECKING:
    from pathlib import Path


def compare(tmp_path: Path, one: bytes, other: bytes, name: str = "image.efi") -> list[tuple[str, str]]:
    for folder, content in (("A", one), ("B", other)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(content)
    found = compare_artifacts(tmp_path / "A" / name, tmp_path / "B" / name)
    return [(difference.where, difference.what) for difference in found]


def uki(**changes: bytes) -> bytes:
    """The usual UKI, with other content in the named sections (without their dots)."""
    return build_uki(sections=[(name, changes.get(name[1:], content)) for name, content in default_sections()])


def test_identical_artifacts(tmp_path: Path) -> None:
    assert compare(tmp_path, uki(), uki()) == []
    assert compare(tmp_path, b"", b"", "x.manifest") == []


@pytest.mark.parametrize(("section", "offset"), [("initrd", 7), ("cmdline", 0), ("linux", 1025)])
def test_one_byte_in_a_section(tmp_path: Path, section: str, offset: int) -> None:
    content = bytearray(dict(default_sections())[f".{section}"])
    content[offset] ^= 1
    size = len(content)
    assert compare(tmp_path, uki(), uki(**{section: bytes(content)})) == [
        (f"image.efi: UKI section .{section}", f"differs from offset {offset:#x} on ({size} and {size} bytes)")
    ]


def test_all_different_sections_are_named_in_file_order(tmp_path: Path) -> None:
    found = compare(tmp_path, uki(), uki(cmdline=b"console=ttyS0 quiet debug", initrd=b"other"))
    assert found == [
        ("image.efi: UKI section .cmdline", "differs from offset 0x13 on (19 and 25 bytes)"),
        ("image.efi: UKI section .initrd", "differs from offset 0x0 on (123 and 5 bytes)"),
    ]


@pytest.mark.parametrize(
    ("sections", "what"),
    [
        (default_sections()[:-1], ".initrd in one place where the other has nothing"),
        ([*default_sections(), (".dtb", b"x")], "nothing in one place where the other has .dtb"),
        ([*default_sections()[:-1], (".ucode", b"x")], ".initrd in one place where the other has .ucode"),
    ],
)
def test_other_sections(tmp_path: Path, sections: list[tuple[str, bytes]], what: str) -> None:
    assert compare(tmp_path, uki(), build_uki(sections=sections)) == [("image.efi: sections", what)]


def test_a_difference_outside_sections(tmp_path: Path) -> None:
    signed = bytearray(uki())
    signed[0x80 + 8] ^= 1  # the time stamp of the PE file header
    size = len(signed)
    assert compare(tmp_path, uki(), bytes(signed)) == [
        ("image.efi", f"the first different byte is at offset 0x88 ({size} and {size} bytes)")
    ]
    assert compare(tmp_path, uki(), uki() + b"trailing") == [
        ("image.efi", f"the first different byte is at offset {size:#x} ({size} and {size + 8} bytes)")
    ]


@pytest.mark.parametrize("hostile", [b"", b"MZ", b"MZ" * 500, uki()[:300], b"\0" * 5000, build_uki(sections=[])])
def test_what_is_no_uki_is_compared_byte_for_byte(tmp_path: Path, hostile: bytes) -> None:
    """One build may have made rubbish; that they differ must be said all the same."""
    for one, other in ((uki(), hostile), (hostile, uki())):
        ((where, what),) = compare(tmp_path, one, other)
        assert where == "image.efi"
        assert what.startswith("the first different byte is at offset 0x")
        assert what.endswith(f"({len(one)} and {len(other)} bytes)")


def test_a_manifest_is_not_read_as_a_uki(tmp_path: Path) -> None:
    assert compare(tmp_path, uki(), uki(initrd=b"other"), "image.manifest")[0][0] == "image.manifest"


def test_a_difference_is_a_value() -> None:
    assert ArtifactDifference("a", "b") == ArtifactDifference("a", "b")


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=40), st.integers(min_value=0, max_value=40))
def test_the_first_different_byte_is_what_cmp_says(
    tmp_path_factory: pytest.TempPathFactory, one: bytes, other: bytes, common: int
) -> None:
    folder = tmp_path_factory.mktemp("pair")
    for name, content in (("one", one), ("other", one[:common] + other)):
        (folder / name).write_bytes(content)
    cmp = subprocess.run(
        [require("cmp"), folder / "one", folder / "other"], capture_output=True, text=True, check=False
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison, "_CHUNK_BYTES", 7)
        found = first_difference(folder / "one", folder / "other")
    if cmp.returncode == 0:
        assert found is None
    elif cmp.stderr:  # cmp: EOF on one after byte 3, line 1 (or: which is empty)
        assert found == min((folder / name).stat().st_size for name in ("one", "other"))
    else:  # one other differ: byte 4, line 1
        assert found == int(cmp.stdout.split("byte ")[1].split(",")[0]) - 1
