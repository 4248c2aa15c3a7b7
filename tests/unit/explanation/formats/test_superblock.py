"""File systems by their superblocks: made by mke2fs, or patched at the offsets the kernel's headers give."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from builders import trees
from builders.explain import explained, named
from builders.tools import require

IDS = "4f8c2a1e-1111-4222-8333-abcdefabcdef", "9a7b6c5d-9999-4888-8777-0123456789ab"
TIME = 1_763_874_000


def ext4(folder: Path, uuid: str, time: int) -> bytes:
    path = folder / "x.ext4"
    path.unlink(missing_ok=True)
    argv = [require("mke2fs"), "-q", "-t", "ext4", "-U", uuid, "-E", f"hash_seed={IDS[0]}", str(path), "1M"]
    subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "E2FSPROGS_FAKE_TIME": str(time)})
    return path.read_bytes()


def test_ext4(tmp_path: Path) -> None:
    found = explained(tmp_path, ext4(tmp_path, IDS[0], TIME), ext4(tmp_path, IDS[0], TIME + 917), name="root")
    assert ("time of making", ["time stamp"]) in named(found)
    found = explained(tmp_path, ext4(tmp_path, IDS[0], TIME), ext4(tmp_path, IDS[1], TIME), name="root")
    (uuid,) = [one for one in found.differences[0].children if one.name == "UUID"]
    assert (uuid.a, uuid.b, [cause.name for cause in uuid.causes]) == (*IDS, ["random id"])
    assert found.notices == ()


@pytest.mark.parametrize(
    ("magic", "magic_offset", "time_offset"), [(b"hsqs", 0, 8), (b"\xe2\xe1\xf5\xe0", 1024, 1024 + 24)]
)
def test_the_time_a_file_system_was_made(tmp_path: Path, magic: bytes, magic_offset: int, time_offset: int) -> None:
    sides = []
    for time in (TIME, TIME + 917):
        image = bytearray(b"\x11" * 8192)
        image[magic_offset : magic_offset + 4] = magic
        image[time_offset : time_offset + 8] = struct.pack("<Q", time)
        sides.append(bytes(image))
    found = explained(tmp_path, *sides, name="root")
    assert named(found) == [("time of making", ["time stamp"])]
    # date --utc --date=@1763874000
    assert found.differences[0].children[0].a == "2025-11-23 05:00:00 UTC"
    found = explained(tmp_path, sides[0], sides[0][:-1] + b"x", name="root")
    assert [one.name for one in found.differences[0].children] == ["content"]


def test_two_kinds_are_compared_byte_by_byte(tmp_path: Path) -> None:
    found = explained(tmp_path, b"hsqs" + bytes(5000), b"XFSB" + bytes(5000), name="root")
    assert found.differences[0].what == "differs from offset 0x0 on"


def test_a_journal_that_was_not_replayed_is_said_first(tmp_path: Path) -> None:
    """s_feature_incompat has EXT4_FEATURE_INCOMPAT_RECOVER, 0x4, until the file system is unmounted (fs/ext4/ext4.h)."""
    for name, text in (("a", "one"), ("b", "two")):
        tree = tmp_path / f"tree-{name}"
        tree.mkdir()
        (tree / "file").write_text(text)
        image = tmp_path / name
        image.write_bytes(bytes(4 << 20))
        options = ("-q", "-F", "-t", "ext4", "-O", "^metadata_csum", "-d", str(tree))
        subprocess.run([require("mke2fs"), *options, str(image)], check=True)
        with image.open("r+b") as stream:
            stream.seek(0x460)
            flags = int.from_bytes(stream.read(4), "little") | 4
            stream.seek(0x460)
            stream.write(flags.to_bytes(4, "little"))
    found = explained(tmp_path, (tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes())
    assert found.differences
    assert any("journal has to be replayed first" in note for note in found.notices)


def test_labels_and_how_it_is_packed(tmp_path: Path) -> None:
    """mke2fs -L; mksquashfs -comp and -Xcompression-level, which changes the bytes of nothing but what is packed."""
    plain, labelled = (tmp_path / name for name in ("plain", "labelled"))
    for path, options in ((plain, ()), (labelled, ("-L", "root"))):
        argv = [require("mke2fs"), "-q", "-t", "ext4", "-U", IDS[0], "-E", f"hash_seed={IDS[0]}", *options]
        subprocess.run(
            [*argv, str(path), "1M"], check=True, capture_output=True, env={**os.environ, "E2FSPROGS_FAKE_TIME": "1"}
        )
    rows = named(explained(tmp_path, plain.read_bytes(), labelled.read_bytes(), name="root"))
    assert ("label", []) in rows
    assert not any(causes for _, causes in rows)
    source = trees.tree(tmp_path / "tree")
    trees.settle(source)
    levels = [trees.squashfs(source, tmp_path / "image", "-comp", "gzip", "-Xcompression-level", n) for n in "19"]
    assert named(explained(tmp_path, *levels, name="root")) == [("outside of the files", ["compression"])]
    method = trees.squashfs(source, tmp_path / "image", "-comp", "xz")
    first, second = named(explained(tmp_path, levels[0], method, name="root"))
    assert (first, second) == (("compression", ["compression"]), ("outside of the files", ["compression"]))


@pytest.mark.parametrize(("magic", "at"), [(b"XFSB", 224), (b"hsqs", 4000)])
def test_a_flipped_bit_in_metadata_is_no_time(tmp_path: Path, magic: bytes, at: int) -> None:
    """Of a checksum that is a possible time, by chance."""
    image = bytearray(magic + bytes(8188))
    image[at : at + 4] = struct.pack("<I", TIME)
    other = bytearray(image)
    other[at + 2] ^= 0x10
    found = explained(tmp_path, bytes(image), bytes(other), name="root")
    assert [causes for _, causes in named(found)] == [[]]
