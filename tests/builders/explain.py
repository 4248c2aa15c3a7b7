"""Pairs of artifacts that differ in one planted thing, and what `explain` says of them."""

from __future__ import annotations

import gzip
import lzma
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from builders.cpio import Entry, build_cpio
from builders.uki import build_uki, default_sections
from teekit_verify.explanation.causes.find import Condition
from teekit_verify.explanation.explain import explain
from teekit_verify.explanation.tree import Explanation, culprits

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BYSTANDERS = (
    Entry("usr", mode=0o040755),
    Entry("usr/bin/true", b"\x7fELF is not looked at\0" * 50),
    Entry("etc/motd", b"welcome\n"),
)


def packed(archive: bytes, compression: str = "zstd") -> bytes:
    match compression:
        case "zstd":
            return zstd.compress(archive)
        case "gzip":
            return gzip.compress(archive, mtime=0)
        case "xz":
            return lzma.compress(archive)
        case _:
            return archive


def uki_with(*entries: Entry, compression: str = "zstd") -> bytes:
    """A UKI whose initrd has some files that are always the same, and these."""
    return uki_of(packed(build_cpio([*BYSTANDERS, *entries]), compression))


def uki_of(initrd: bytes, **sections: bytes) -> bytes:
    """The usual UKI with this initrd, and other content in the named sections (without their dots)."""
    changes = {"initrd": initrd, **sections}
    return build_uki(sections=[(name, changes.get(name[1:], content)) for name, content in default_sections()])


def explained(
    folder: Path, a: bytes, b: bytes, *, name: str = "image.efi", conditions: Sequence[Condition] = ()
) -> Explanation:
    """Two files of that name, compared without diffoscope."""
    paths = [folder / side / name for side in "AB"]
    for path, content in zip(paths, (a, b), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (folder / "scratch").mkdir(exist_ok=True)
    return explain(*paths, folder=folder / "scratch", conditions=conditions, with_diffoscope=False)


def named(explanation: Explanation) -> list[tuple[str, list[str]]]:
    """The end of each path that differs, and the names of its causes."""
    return [
        (leaf.path[-1], [cause.name for cause in leaf.difference.causes]) for leaf in culprits(explanation.differences)
    ]


def mbr_disk(content: bytes, *, signature: int = 1) -> bytes:
    """UEFI 2.10, 5.2.1: one Linux partition from sector 8 on."""
    row = struct.pack("<B3sB3sII", 0x80, bytes(3), 0x83, bytes(3), 8, 16)
    sector = bytes(440) + struct.pack("<IH", signature, 0) + row + bytes(48) + b"\x55\xaa"
    return (sector + bytes(7 * 512) + content.ljust(16 * 512, b"\0")).ljust(64 * 512, b"\0")
