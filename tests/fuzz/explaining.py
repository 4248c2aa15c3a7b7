"""Entry points for what `explain` reads: archives, compressed members, ELF files, kernels, manifests, and pairs of files."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import subprocess
import tarfile
import tempfile
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import IO, cast

from builders import trees
from builders.blobs import blob_of
from builders.bzimage import build_bzimage
from builders.cpio import DEVICE, SYMLINK, Entry, build_cpio
from builders.explain import packed, uki_with
from builders.tools import require
from fuzz import seeds
from teekit_verify.artifacts import qcow2
from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.bundle import members_of, reader_of
from teekit_verify.artifacts.compressed import Budget, Decompressed, Unpacked, zstd_frame_end
from teekit_verify.artifacts.elf import parse_elf
from teekit_verify.artifacts.erofs import Erofs
from teekit_verify.artifacts.extfs import ExtFs
from teekit_verify.artifacts.initrd import equal_members_end, read_initrd
from teekit_verify.artifacts.kernel import parse_bzimage
from teekit_verify.artifacts.magic import compression_of
from teekit_verify.artifacts.manifest import parse_manifest
from teekit_verify.artifacts.partitions import read_partitions
from teekit_verify.artifacts.squashfs import Squashfs
from teekit_verify.explanation.examination import SPOOL_BYTES, Examination, Spool
from teekit_verify.explanation.explain import FORMATS
from teekit_verify.explanation.pair import Pair

_MAX_BYTES = 64 << 20


def initrd(data: bytes) -> None:
    with _Blob(data) as blob:
        equal_members_end(blob, len(data))
        for _, _, reader in read_initrd(blob, budget=Budget(_MAX_BYTES)):
            for _ in reader.content():
                pass


def compressed(data: bytes) -> None:
    compression = compression_of(data[:6])
    if compression is not None:
        with _Blob(data) as blob:
            zstd_frame_end(blob, 0)
            stream = Decompressed(blob, 0, compression, Budget(_MAX_BYTES), "input")
            while stream.read(1 << 18):
                pass
    with _Blob(data) as blob:
        whole = Unpacked(blob, Budget(_MAX_BYTES), "input")
        while whole.read(1 << 18):
            pass


def elf(data: bytes) -> None:
    with _Blob(data) as blob:
        _ = parse_elf(blob).build_id


def bzimage(data: bytes) -> None:
    with _Blob(data) as blob:
        parse_bzimage(blob)


def manifest(data: bytes) -> None:
    parse_manifest(data)


def bundle(data: bytes) -> None:
    if reader_of(data[:512]) is not None:
        with _Blob(data) as blob:
            for member in members_of(blob):
                for _ in member.content():
                    pass


def file_system(data: bytes) -> None:
    """By the magic number of the seed it was made from; a file may be a hole of any size, so not all of it is read."""
    reader = Squashfs if data[:4] == b"hsqs" else Erofs if data[1024:1028] == b"\xe2\xe1\xf5\xe0" else ExtFs
    left = _MAX_BYTES
    with _Blob(data) as blob:
        for file in reader(blob).files():
            for piece in file.node.content():
                left -= len(piece)
                if left < 0:
                    return


def partitions(data: bytes) -> None:
    with _Blob(data) as blob:
        read_partitions(blob)


def qcow2_disk(data: bytes) -> None:
    left = _MAX_BYTES
    with _Blob(data) as blob:
        for _, piece in qcow2.clusters(blob, qcow2.read_header(blob)):
            left -= len(piece)
            if left < 0:
                return


def pairs(data: bytes) -> None:
    """The input against the well-formed one that it was perhaps made from."""
    other = next((seed for seed in files() if seed[:4] == data[:4] and seed != data), files()[0])
    with _Blob(other) as a, _Blob(data) as b, _InMemory(Path("/none"), FORMATS) as examination:
        examination.compare(Pair(("input",), a, b))


class _InMemory(Examination):
    """Spools that are no files."""

    def spool(self, number: int = 0, limit_bytes: int = SPOOL_BYTES) -> Spool:  # noqa: ARG002 - each its own
        memory = _Memory(os.memfd_create("spool"))
        self._files.callback(os.close, memory.descriptor)
        return Spool(cast("IO[bytes]", memory), min(limit_bytes, _MAX_BYTES))


class _Memory:
    """What a spool asks of its file."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def fileno(self) -> int:
        return self.descriptor

    def tell(self) -> int:
        return os.lseek(self.descriptor, 0, os.SEEK_CUR)

    def write(self, data: bytes) -> int:
        return os.write(self.descriptor, data)

    def flush(self) -> None:
        pass

    def seek(self, offset: int) -> int:
        return os.lseek(self.descriptor, offset, os.SEEK_SET)

    def truncate(self, size_bytes: int) -> None:
        """Only ever made longer; the oracle takes truncate(2) for one of a file."""
        if size_bytes > os.fstat(self.descriptor).st_size:
            os.pwrite(self.descriptor, b"\0", size_bytes - 1)


class _Blob:
    def __init__(self, data: bytes) -> None:
        self._blob = blob_of(data)

    def __enter__(self) -> Blob:
        return self._blob

    def __exit__(self, *_: object) -> None:
        os.close(self._blob.descriptor)


def _cpio(text: bytes = b"one\n") -> bytes:
    entries = [Entry("etc", mode=0o040755), Entry("etc/x", text), Entry("a/link", b"x", mode=SYMLINK | 0o777)]
    return build_cpio([*entries, Entry("dev/null", mode=DEVICE | 0o666, device=(1, 3))], padding=20)


def initrds() -> list[bytes]:
    crc = build_cpio([Entry("a", b"xyz", check=sum(b"xyz"))], magic=b"070702")
    return [_cpio(), crc, _cpio() + packed(_cpio()) + bytes(9) + packed(_cpio(), "gzip"), packed(_cpio() * 2, "xz")]


def members() -> list[bytes]:
    text = bytes(range(256)) * 40
    return [packed(text), gzip.compress(text, mtime=0), lzma.compress(text), bz2.compress(text), packed(b"")]


@cache
def elfs() -> list[bytes]:
    """A program of this host, with little in it."""
    with tempfile.TemporaryDirectory() as name:
        small = Path(name) / "small"
        options = ["--only-section=.note*", "--only-section=.comment", "--only-section=.interp"]
        subprocess.run(
            [require("objcopy"), *options, Path(require("true")).resolve(), small], check=True, capture_output=True
        )
        return [small.read_bytes()]


@cache
def bundles() -> list[bytes]:
    """tar, ar and zip, with a long name each."""
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive, tarfile.open(fileobj=tarred, mode="w") as tar:
        for name in ("a", "long/" * 30):
            archive.writestr(zipfile.ZipInfo(name), b"data" * 9)
            tar.addfile(tarfile.TarInfo(name))
    names = b"a-name-of-more-than-16.o/\n"
    members = ((b"//", names), (b"/0", b"content "), (b"x.o/", b"more"))
    rows = [b"%-16s%-12d%-6d%-6d%-8o%-10d`\n%b" % (name, 1, 0, 0, 0o644, len(data), data) for name, data in members]
    return [zipped.getvalue(), tarred.getvalue(), b"!<arch>\n" + b"".join(rows)]


def file_systems() -> list[bytes]:
    return [b"hsqs" + bytes(4092), bytes(1024) + b"\xe2\xe1\xf5\xe0" + bytes(3068)]


def kernels() -> list[bytes]:
    made = [bytearray(build_bzimage()), bytearray(build_bzimage(setup_sectors=0))]
    for kernel in made:
        kernel[0x248:0x250] = struct.pack("<II", 0x100, 64)  # payload_offset, payload_length
    return [bytes(kernel) for kernel in made]


def manifests() -> list[bytes]:
    package = {"type": "deb", "name": "bash", "version": "5.2", "architecture": "amd64"}
    config = {"name": "image", "release": "trixie"}
    return [json.dumps({"manifest_version": 1, "config": config, "packages": [package, package]}).encode()]


@cache
def images() -> list[bytes]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "tree/etc").mkdir(parents=True)
        (folder / "tree/etc/conf").write_bytes(b"text\n" * 2000)
        (folder / "tree/link").symlink_to("etc/conf")
        return [
            trees.squashfs(folder / "tree", folder / "image"),
            trees.erofs(folder / "tree", folder / "image"),
            trees.erofs(folder / "tree", folder / "image", "-zlz4hc"),
            trees.extfs(
                folder / "tree", folder / "image", "-t", "ext4", "-N", "64", "-b", "1024", "-O", "^has_journal"
            )[: 1 << 20],
        ]


def disks() -> list[bytes]:
    row = struct.pack("<B3sB3sII", 0x80, bytes(3), 0x83, bytes(3), 1, 1)
    mbr = bytes(446) + row + bytes(48) + b"\x55\xaa" + bytes(512)
    gpt = b"EFI PART" + struct.pack("<IIIIQQQQ16sQIII", 0x10000, 92, 0, 0, 1, 63, 3, 60, bytes(16), 2, 4, 128, 0)
    return [mbr, bytes(512) + gpt.ljust(512, b"\0") + b"\1" * 512, bytes(4096) + gpt.ljust(4096, b"\0") + b"\1" * 512]


def qcow2s() -> list[bytes]:
    """Version 3 in clusters of 512 bytes: a compressed one, one of zeros, one that is not there, a plain one."""
    packer = zlib.compressobj(wbits=-12)
    squeezed = packer.compress(b"text\n" * 100 + bytes(12)) + packer.flush()
    made = []
    for text in (b"one\n", b"two\n"):
        header = b"QFI\xfb" + struct.pack(
            ">IQIIQIIQQIIQQQQIIB7x", 3, 0, 0, 9, 2048, 0, 1, 512, 0, 0, 0, 0, 0, 0, 0, 4, 112, 0
        )
        table = struct.pack(">4Q", 1 << 62 | 2048, 1, 0, 1536)
        parts = (header, struct.pack(">Q", 1024), table, text, squeezed)
        made.append(b"".join(part.ljust(512, b"\0") for part in parts))
    return made


@cache
def files() -> list[bytes]:
    """Two of each, so that either may be compared with the other."""
    ukis = [uki_with(Entry("etc/x", text), Entry("log", b"at 05:10\n" * 9)) for text in (b"1\n", b"2\n")]
    return [
        *ukis,
        *initrds(),
        *members(),
        *elfs(),
        *kernels(),
        *manifests(),
        *bundles(),
        *file_systems(),
        *qcow2s(),
        *seeds.ukis()[:2],
    ]
