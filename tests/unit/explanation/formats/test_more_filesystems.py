"""ISO 9660, btrfs and XFS as their own tools make them, of two trees that differ in one planted thing."""

from __future__ import annotations

import os
import stat
import subprocess
import zlib
from pathlib import Path

import pytest

from builders.blobs import blob_of
from builders.explain import explained, named
from builders.tools import require
from builders.trees import Maker, btrfs, iso, settle, tree, xfs
from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.btrfs import Btrfs
from teekit_verify.artifacts.iso9660 import Iso9660
from teekit_verify.artifacts.xfs import Xfs
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.explanation.tree import leaves

Reader = type[Btrfs | Iso9660 | Xfs]
IMAGES: list[tuple[Maker, Reader, tuple[str, ...]]] = [
    (iso, Iso9660, ()),
    (iso, Iso9660, ("-J", "-joliet-long")),
    (btrfs, Btrfs, ()),
    (xfs, Xfs, ()),
    (xfs, Xfs, ("-n", "size=8192", "-i", "size=1024")),
]


def _deep(folder: Path) -> Path:
    """With names that go on in a second piece of Rock Ridge, and folders deeper than ISO 9660 itself has them."""
    source = tree(folder)
    (source / "many" / ("long-name-" * 20)).write_bytes(b"x")
    below = source.joinpath(*(f"d{depth}" for depth in range(10)))
    below.mkdir(parents=True)
    (below / "deep").write_bytes(b"deep\n")
    return source


def _read_all(reader: Reader, blob: Blob) -> None:
    for file in reader(blob).files():
        for _ in file.node.content():
            pass


@pytest.mark.parametrize(("make", "reader", "options"), IMAGES)
def test_every_file_is_read_as_it_was_written(
    tmp_path: Path, make: Maker, reader: Reader, options: tuple[str, ...]
) -> None:
    source = _deep(tmp_path / "tree")
    settle(source)
    blob = blob_of(make(source, tmp_path / "image", *options))
    found = {file.name: file.node for file in reader(blob).files()}
    assert sorted(found) == sorted([".", *(str(path.relative_to(source)) for path in source.rglob("*"))])
    for name, node in found.items():
        path = source / name
        status = path.lstat()
        if name != ".":
            assert node.mode == status.st_mode, name
        assert node.target == (str(path.readlink()) if path.is_symlink() else "")
        if stat.S_ISREG(status.st_mode):
            assert b"".join(node.content()) == path.read_bytes(), name
        if make is not xfs and name != ".":
            assert node.mtime is not None
            assert node.mtime // 10**9 == int(status.st_mtime)
    os.close(blob.descriptor)


@pytest.mark.parametrize("make", [iso, btrfs, xfs])
def test_a_planted_file_is_named(tmp_path: Path, make: Maker) -> None:
    images = []
    for text in (b"built by alice@example\n", b"built by bob@host\n"):
        source = tree(tmp_path / text[9:12].decode())
        (source / "etc/conf").write_bytes(text)
        (source / "etc/alone").write_bytes(b"") if text.endswith(b"host\n") else None
        settle(source)
        images.append(make(source, tmp_path / "image"))
    found = explained(tmp_path, *images, name="root")
    assert found.notices == ()
    told = dict(named(found))
    assert "etc/alone" in told
    assert told["etc/conf"] == ["user name"]


def test_an_image_that_is_cut_off_or_damaged(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    settle(source)
    for make, reader in ((iso, Iso9660), (btrfs, Btrfs), (xfs, Xfs)):
        image = make(source, tmp_path / "image")
        for size in (100, 40_000, 80_000):
            blob = blob_of(image[:size])
            with pytest.raises(TeekitError):
                _read_all(reader, blob)
            os.close(blob.descriptor)
        damaged = image[: len(image) // 2] + bytes(len(image) - len(image) // 2)
        assert explained(tmp_path, image, damaged, name="root").differences


def test_what_has_to_be_replayed_first_is_refused(tmp_path: Path) -> None:
    """XFS: the record of unmounting is turned into another. btrfs: the superblock names a tree log."""
    source = tree(tmp_path / "tree")
    image = bytearray(xfs(source, tmp_path / "image"))
    at = image.index(b"\xfe\xed\xba\xbe")
    image[at + 512 + 9] &= ~0x20
    with pytest.raises(UnsupportedInputError, match="XFS: its log has to be replayed first"):
        Xfs(blob_of(bytes(image)))
    image = bytearray(btrfs(source, tmp_path / "image"))
    image[0x10060:0x10068] = (1 << 20).to_bytes(8, "little")
    with pytest.raises(UnsupportedInputError, match="btrfs: its log has to be replayed first"):
        Btrfs(blob_of(bytes(image)))


def test_compressed_extents_of_btrfs(tmp_path: Path) -> None:
    """mkfs.btrfs of Debian compresses nothing: a file's content is put in by hand, as Linux would have it in the tree."""
    source = tree(tmp_path / "tree")
    marker = b"compressed-" * 60
    (source / "inline").write_bytes(marker)
    image = btrfs(source, tmp_path / "image")
    packed = zlib.compress(marker)
    at = image.index(marker)  # an inline extent: its header is the 21 bytes before
    header = bytearray(image[at - 21 : at])
    assert header[16] == 0
    header[16] = 1
    changed = image[: at - 21] + bytes(header) + packed.ljust(len(marker), b"\0") + image[at + len(marker) :]
    nodes = {file.name: file.node for file in Btrfs(blob_of(changed)).files()}
    assert b"".join(nodes["inline"].content()) == marker


def test_what_el_torito_boots(tmp_path: Path) -> None:
    images = []
    for text in (b"one", b"two"):
        source = tmp_path / text.decode()
        source.mkdir()
        (source / "boot.img").write_bytes(text.ljust(4096, b"\0"))
        (source / "readme").write_bytes(b"the same\n")
        settle(source)
        argv = ["-b", "boot.img", "-no-emul-boot", "-boot-load-size", "4", "--modification-date=2025010100000000"]
        images.append(iso(source, tmp_path / "image", *argv))
    found = explained(tmp_path, *images, name="boot.iso")
    names = [leaf.path[-1] for leaf in leaves(found.differences)]
    assert "boot image 1 (El Torito)" in names
    assert "boot.img" in names


def test_a_hybrid_is_compared_by_its_files(tmp_path: Path) -> None:
    images = []
    for text in (b"one\n", b"two\n"):
        source = tmp_path / text[:3].decode()
        source.mkdir()
        (source / "file").write_bytes(text)
        settle(source)
        image = iso(source, tmp_path / "image", "--modification-date=2025010100000000")
        disk = bytearray(image)
        argv = [require("sfdisk"), "-q", str(tmp_path / "image")]
        subprocess.run(argv, input=b"label: dos\nlabel-id: 0x1\nstart=1, type=17\n", check=True, capture_output=True)
        disk[:512] = (tmp_path / "image").read_bytes()[:512]
        images.append(bytes(disk))
    assert [name for name, _ in named(explained(tmp_path, *images, name="hybrid.iso"))] == ["file"]


def test_names_are_those_of_joliet_where_there_is_no_rock_ridge(tmp_path: Path) -> None:
    """As Linux has it (isofs, "nojoliet"); xorriso writes both, so that Rock Ridge's first entry (SUSP 5.3) is made another one."""
    source = tmp_path / "tree"
    for name in ("Long Name with spaces.txt", "sub/Ünï-名.conf"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(b"x\n")
    settle(source)
    image = iso(source, tmp_path / "image", "-J", "-joliet-long")
    assert b"SP\x07\x01\xbe\xef" in image
    blob = blob_of(image.replace(b"SP\x07\x01\xbe\xef", b"XX\x07\x01\xbe\xef"))
    assert {file.name for file in Iso9660(blob).files()} == {
        ".",
        "Long Name with spaces.txt",
        "sub",
        "sub/Ünï-名.conf",
    }


def test_the_ids_that_mkfs_btrfs_draws_are_named(tmp_path: Path) -> None:
    source = tree(tmp_path / "tree")
    settle(source)
    images = [btrfs(source, tmp_path / name) for name in "ab"]
    found = {leaf.path[-1]: leaf.difference for leaf in leaves(explained(tmp_path, *images).differences)}
    argv = [require("btrfs"), "inspect-internal", "dump-tree", "-t", "chunk"]
    for name, told in (("a", found["UUID of the chunk tree"].a), ("b", found["UUID of the chunk tree"].b)):
        dump = subprocess.run([*argv, tmp_path / name], check=True, capture_output=True, text=True).stdout
        assert f"chunk uuid {told}" in dump
