"""Sizes in a UKI, against those that were put into it."""

from __future__ import annotations

from builders.cpio import Entry, build_cpio
from builders.uki import build_uki, kernel
from teekit_verify.artifacts.uki import parse_uki
from teekit_verify.inspection.space import FolderSpace, space_of


def test_sections_and_folders() -> None:
    initrd = build_cpio(
        [
            Entry("usr/lib/modules/6.1/a.ko", b"x" * 700),
            Entry("usr/lib/modules/6.1/kernel/b.ko", b"x" * 200),
            Entry("./etc/passwd", b"x" * 300),
            Entry("init", b"x" * 50),
            Entry("empty/file", b""),
        ]
    )
    code = kernel()
    uki = build_uki(sections=[(".cmdline", b"quiet"), (".linux", code), (".initrd", initrd)])
    found = {one.name: one for one in space_of(parse_uki(uki))}
    assert found[".cmdline"].size_bytes == 5
    assert found[".linux"].size_bytes == len(code)
    assert found[".initrd"].size_bytes == len(initrd)
    assert found[".initrd"].folders == (
        FolderSpace("usr/lib/modules", 900),
        FolderSpace("etc", 300),
        FolderSpace("", 50),
    )
    assert not found[".linux"].folders


def test_an_initrd_that_cannot_be_read_has_no_folders() -> None:
    uki = build_uki(sections=[(".cmdline", b"quiet"), (".linux", kernel()), (".initrd", b"no archive")])
    (found,) = [one for one in space_of(parse_uki(uki)) if one.name == ".initrd"]
    assert (found.size_bytes, found.folders) == (10, ())
