"""Google Cloud archives made by GNU tar and gzip: the disk in them, byte for byte, and archives that cannot be."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import zlib
from typing import TYPE_CHECKING

import pytest

from builders.tools import require
from builders.work import bounded_calls
from teekit_verify.artifacts import targz
from teekit_verify.artifacts.targz import TarGzDisk
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20
CHANCE = random.Random(3)  # noqa: S311 - test data


def _sparse_disk(path: Path, pieces: dict[int, bytes], size_bytes: int) -> Path:
    with path.open("wb") as stream:
        for offset, content in pieces.items():
            stream.seek(offset)
            stream.write(content)
        stream.truncate(size_bytes)
    return path


def _tar(folder: Path, *options: str, name: str = "disk.raw") -> bytes:
    argv = [require("tar"), "--format=oldgnu", "-C", str(folder), *options, "-czf", "-", name]
    return subprocess.run(argv, capture_output=True, check=True).stdout


def _open(archive: bytes) -> TarGzDisk:
    return TarGzDisk(io.BytesIO(archive))


def _content(archive: bytes) -> bytes:
    disk = _open(archive)
    content = io.BufferedReader(disk).read()
    disk.finish()
    return content


@pytest.mark.parametrize("options", [[], ["-S"], ["-S", "--hole-detection=raw"]])
@pytest.mark.parametrize(
    ("pieces", "size_bytes"),
    [
        ({0: b"x" * 5000}, 5000),
        ({0: b"a" * 1000, 3 * MIB: b"b" * 70_001, 8 * MIB - 7: b"end"}, 8 * MIB),
        ({MIB: b"only the middle"}, 2 * MIB + 512),
        ({index * 64 * 1024: bytes([index]) * 100 for index in range(1, 100)}, 8 * MIB),
        ({}, MIB),
        ({}, 0),
    ],
)
def test_the_disk_is_what_was_packed(
    tmp_path: Path, options: list[str], pieces: dict[int, bytes], size_bytes: int
) -> None:
    disk = _sparse_disk(tmp_path / "disk.raw", pieces, size_bytes)
    archive = _tar(tmp_path, *options)
    assert _open(archive).size_bytes == size_bytes
    assert _content(archive) == disk.read_bytes()


def test_reading_anywhere(tmp_path: Path) -> None:
    pieces = {index * 300_000: CHANCE.randbytes(50_000) for index in range(20)}
    expected = _sparse_disk(tmp_path / "disk.raw", pieces, 8 * MIB).read_bytes()
    stream = io.BufferedReader(_open(_tar(tmp_path, "-S")))
    for _ in range(60):
        start, size_bytes = CHANCE.randrange(9 * MIB), CHANCE.randrange(200_000)
        stream.seek(start)
        assert stream.read(size_bytes) == expected[start : start + size_bytes]
    assert stream.seek(-100, io.SEEK_END) == 8 * MIB - 100
    assert stream.read() == expected[-100:]


def test_sizes_of_eight_gib_and_more_are_binary_numbers(tmp_path: Path) -> None:
    """GNU tar: a size beyond 11 octal digits is stored in base 256."""
    _sparse_disk(tmp_path / "disk.raw", {0: b"first", 20 << 30: b"last"}, (20 << 30) + 4096)
    stream = io.BufferedReader(_open(_tar(tmp_path, "-S")))
    stream.seek(20 << 30)
    assert stream.read() == b"last".ljust(4096, b"\0")


def test_several_gzip_members_and_padding(tmp_path: Path) -> None:
    """RFC 1952: members follow each other; gzip(1) passes over zeros at the end."""
    expected = _sparse_disk(tmp_path / "disk.raw", {0: CHANCE.randbytes(300_000)}, 300_000).read_bytes()
    plain = gzip.decompress(_tar(tmp_path))
    parts = [gzip.compress(plain[start : start + 100_000]) for start in range(0, len(plain), 100_000)]
    assert _content(b"".join(parts) + gzip.compress(b"") + bytes(1000)) == expected


def _refused(archive: bytes, message: str, error: type[TeekitError] = MalformedInputError) -> None:
    with pytest.raises(error, match=message):
        _content(archive)


def test_archives_cut_anywhere(tmp_path: Path) -> None:
    _sparse_disk(tmp_path / "disk.raw", {0: CHANCE.randbytes(100_000), 2 * MIB: b"end"}, 3 * MIB)
    archive = _tar(tmp_path, "-S")
    for size_bytes in [*range(0, len(archive), 997), len(archive) - 1, len(archive) - 8]:
        _refused(archive[:size_bytes], "gzip: uncompressed data at offset 0x[0-9a-f]+: ends before its checksum")
    plain = gzip.decompress(archive)
    for size_bytes in (0, 100, 600, 5000, 101_000):
        _refused(gzip.compress(plain[:size_bytes]), "gzip: uncompressed data at offset 0x[0-9a-f]+: ends in ")


def test_a_wrong_checksum_is_found_when_the_end_is_read(tmp_path: Path) -> None:
    _sparse_disk(tmp_path / "disk.raw", {0: b"x" * 5000}, 5000)
    archive = bytearray(_tar(tmp_path))
    archive[-8] ^= 1
    _refused(bytes(archive), "incorrect data check")
    _refused(bytes(_tar(tmp_path)) + b"rubbish", "incorrect header check")


def _changed(plain: bytes, start: int, value: bytes) -> bytes:
    """The tar header with a field replaced, and its sum put right; compressed."""
    header = bytearray(plain[:512])
    header[start : start + len(value)] = value
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + plain[512:])


@pytest.mark.parametrize(
    ("start", "value", "message", "error"),
    [
        (0, b"disk.img", "the first member is 'disk.img'", UnsupportedInputError),
        (0, b"./disk.raw", "the first member is './disk.raw'", UnsupportedInputError),
        (0, b"\x1b[31m", r"the first member is '\\\\x1b\[31m", UnsupportedInputError),
        (156, b"5", "expected the file disk.raw", UnsupportedInputError),
        (156, b"L", "expected the file disk.raw", UnsupportedInputError),
        (156, b"2", "expected the file disk.raw", UnsupportedInputError),
        (156, b"x", "pax headers, expected the old GNU format", UnsupportedInputError),
        (124, b"0000000000z\0", "size at offset 0x7c: .* is not an octal number", MalformedInputError),
        (124, b"\0" * 12, "size at offset 0x7c: .* is not an octal number", MalformedInputError),
        (124, b"\xff" * 12, "size at offset 0x7c: .* is not an octal number", MalformedInputError),
        (
            124,
            b"00000000017\0",
            "sparse map at offset 0x182: covers 8192 bytes, but the member has 15",
            MalformedInputError,
        ),
        (386, b"77777777777\0", "sparse map at offset 0x182: 4096 bytes at 0x1ffffffff overlap", MalformedInputError),
        (386, b"\x80" + b"\xff" * 11, "sparse map at offset 0x182: 4096 bytes at 0xff", MalformedInputError),
        (410, b"00000000001\0", "sparse map at offset 0x182: 4096 bytes at 0x1 overlap", MalformedInputError),
        (398, b"x" * 12, "sparse size at offset 0x18e", MalformedInputError),
        (483, b"00000000001\0", "sparse map at offset 0x182: .* end after the disk", MalformedInputError),
        (483, b"\x80" + b"\x7f" * 11, "size at offset 0x1e3: .* is not a disk's size", MalformedInputError),
    ],
)
def test_headers_that_cannot_be(
    tmp_path: Path, start: int, value: bytes, message: str, error: type[TeekitError]
) -> None:
    _sparse_disk(tmp_path / "disk.raw", {0: b"x", MIB: b"y"}, 2 * MIB)
    _refused(_changed(gzip.decompress(_tar(tmp_path, "-S")), start, value), message, error)


def test_what_is_no_tar(tmp_path: Path) -> None:
    _refused(gzip.compress(b"x" * 2000), "header checksum at offset 0x94")
    _refused(gzip.compress(bytes(2000)), "header checksum at offset 0x94")
    _refused(b"\x1f\x8b rubbish", "gzip: uncompressed data at offset 0x0")


def test_a_second_member_is_refused(tmp_path: Path) -> None:
    _sparse_disk(tmp_path / "disk.raw", {0: b"x" * 600}, 600)
    _sparse_disk(tmp_path / "other.raw", {}, 1)
    plain = gzip.decompress(_tar(tmp_path))
    twice = gzip.compress(plain[: 512 + 1024] + plain)
    _refused(twice, "a second member 'disk.raw', expected only disk.raw", UnsupportedInputError)
    _refused(_tar(tmp_path, "other.raw"), "the first member is 'other.raw'", UnsupportedInputError)


@pytest.mark.parametrize("other_member", [True, False])
def test_what_follows_the_end_of_the_archive_is_refused(tmp_path: Path, other_member: bool) -> None:  # noqa: FBT001
    """GNU tar stops at the zero blocks; nobody would hear of what is behind them."""
    _sparse_disk(tmp_path / "disk.raw", {0: b"x" * 600}, 600)
    plain = gzip.decompress(_tar(tmp_path))
    hidden = gzip.compress(plain) + gzip.compress(b"hidden") if other_member else gzip.compress(plain + b"hidden")
    _refused(hidden, "something follows the end of the tar archive")
    _open(gzip.compress(plain) + gzip.compress(bytes(10240))).finish()


def test_an_endless_sparse_map_is_refused(tmp_path: Path) -> None:
    _sparse_disk(tmp_path / "disk.raw", {0: b"x", MIB: b"y"}, 2 * MIB)
    plain = gzip.decompress(_tar(tmp_path, "-S"))
    block = bytearray(b"00000000000\0" * 42 + bytes(8))
    block[504] = 1
    header = bytearray(plain[:512])
    header[482] = 1
    endless = _changed(bytes(header) + bytes(block) * 6000, 482, b"\1")
    with bounded_calls(2_000_000):  # a dozen for each entry
        _refused(endless, "sparse map at offset 0x[0-9a-f]+: has more than 100000 entries")


def test_a_bomb_ends_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 GiB of zeros in 4 MiB: each of the 64 gzip members (RFC 1952, 2.2) is 64 MiB of them."""
    _sparse_disk(tmp_path / "disk.raw", {}, MIB)
    header = bytearray(gzip.decompress(_tar(tmp_path))[:512])
    header[124:136] = b"%011o\0" % (4 << 30)
    bomb = _changed(bytes(header), 0, b"d") + gzip.compress(bytes(64 * MIB)) * 64
    assert len(bomb) < 5 * MIB
    inflated = _counted_inflation(monkeypatch)
    with pytest.raises(
        UnsupportedInputError, match="more than 1 GiB and 100 times the archive would have to be unpacked"
    ):
        _open(bomb).finish()
    assert 1 << 30 < sum(inflated) <= (1 << 30) + 100 * len(bomb) + targz._CHUNK_BYTES
    assert max(inflated) <= targz._CHUNK_BYTES  # that much memory at a time


def _counted_inflation(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each call of zlib gives from now on."""
    real, sizes = zlib.decompressobj, []

    class Counting:
        def __init__(self, window: int) -> None:
            self.state = real(window)

        def decompress(self, data: bytes, limit: int) -> bytes:
            inflated = self.state.decompress(data, limit)
            sizes.append(len(inflated))
            return inflated

        def __getattr__(self, name: str) -> object:
            return getattr(self.state, name)

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    return sizes


def test_a_large_disk_with_holes_is_read(tmp_path: Path) -> None:
    _sparse_disk(tmp_path / "disk.raw", {0: b"first", (12 << 30) - 4: b"last"}, 12 << 30)
    disk = _open(_tar(tmp_path, "-S"))
    assert disk.size_bytes == 12 << 30
    disk.seek((12 << 30) - 4)
    assert disk.read(4) == b"last"
    disk.finish()


def test_more_than_the_bound_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targz, "FREE_BYTES", 3 * MIB)
    monkeypatch.setattr(targz, "MOST_INFLATION", 0)
    _sparse_disk(tmp_path / "disk.raw", {}, 2 * MIB)
    assert len(_content(_tar(tmp_path))) == 2 * MIB
    stream = io.BufferedReader(_open(_tar(tmp_path)))
    stream.seek(2 * MIB - 10)
    stream.read()
    stream.seek(0)
    stream.read(10)
    stream.seek(2 * MIB - 10)
    with pytest.raises(UnsupportedInputError, match="gzip: to read the disk, more than"):
        stream.read()
