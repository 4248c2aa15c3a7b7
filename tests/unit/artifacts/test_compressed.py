"""zstd(1), gzip(1), xz(1) and bzip2(1) make the members."""

from __future__ import annotations

import os
import subprocess

import pytest

from builders.blobs import blob_of
from builders.tools import require
from teekit_verify.artifacts.compressed import (
    Budget,
    Compression,
    Decompressed,
    compression_of,
    require_readable,
    zstd_frame_end,
)
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError

PLAIN = os.urandom(300_000) + bytes(2_000_000) + b"the end"


def pack(program: str, data: bytes = PLAIN, *options: str) -> bytes:
    return subprocess.run([require(program), "-c", *options], input=data, check=True, capture_output=True).stdout


def unpacked(data: bytes, *, start: int = 0, budget: int = 1 << 30) -> tuple[bytes, int]:
    """What a member unpacks to, and where it ends."""
    compression = compression_of(data[start : start + 6])
    assert compression is not None
    stream = Decompressed(blob_of(data), start, compression, Budget(budget), "initrd")
    return b"".join(iter(lambda: stream.read(100_000), b"")), stream.end


@pytest.mark.parametrize(
    ("program", "compression"),
    [("zstd", Compression.ZSTD), ("gzip", Compression.GZIP), ("xz", Compression.XZ), ("bzip2", Compression.BZIP2)],
)
def test_one_member_of_several(program: str, compression: Compression) -> None:
    first = pack(program)
    data = b"before" + first + pack(program, b"another member") + bytes(7)
    assert compression_of(first) is compression
    assert unpacked(data, start=6) == (PLAIN, 6 + len(first))
    assert unpacked(data, start=6 + len(first))[0] == b"another member"


@pytest.mark.parametrize("program", ["zstd", "gzip", "xz", "bzip2"])
@pytest.mark.parametrize("empty", [b"", b"x"])
def test_small_ones(program: str, empty: bytes) -> None:
    data = pack(program, empty)
    assert unpacked(data) == (empty, len(data))


@pytest.mark.parametrize("program", ["zstd", "gzip", "xz", "bzip2"])
def test_damaged_members(program: str) -> None:
    data = pack(program)
    with pytest.raises(MalformedInputError, match=r"initrd \(\w+\): compressed data at offset 0x\w+: ends before"):
        unpacked(data[:-20])
    spoilt = bytearray(data)
    spoilt[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
    with pytest.raises(MalformedInputError, match=r"initrd \(\w+\): compressed data at offset 0x\w+: "):
        unpacked(bytes(spoilt))


def test_a_bomb_is_stopped_by_its_output() -> None:
    """A gigabyte of zeros in 32 KiB: nothing of it is kept, and there is an end to it."""
    data = pack("zstd", bytes(1 << 24)) * 2
    assert len(data) < 5000
    with pytest.raises(UnsupportedInputError, match=r"initrd \(zstd\): unpacks to more bytes than are looked at"):
        unpacked(data, budget=1 << 20)


def test_a_window_that_takes_too_much_memory() -> None:
    """RFC 8878, 3.1.1.1.2: the exponent is in the upper five bits; 10 + 21 makes 2 GiB."""
    frame = b"\x28\xb5\x2f\xfd" + bytes([0b0000_0000, 21 << 3]) + b"\x01\0\0"
    with pytest.raises(MalformedInputError, match="compressed data at offset 0x9: "):
        unpacked(frame)


@pytest.mark.parametrize("options", [(), ("-19",), ("--no-check",), ("--no-content-size",), ("-1", "-T2")])
def test_a_zstd_frame_ends_where_zstd_says(options: tuple[str, ...]) -> None:
    frame = pack("zstd", PLAIN, *options)
    assert zstd_frame_end(blob_of(b"ab" + frame + b"more"), 2) == 2 + len(frame)
    assert zstd_frame_end(blob_of(frame[:-1]), 0) is None
    assert zstd_frame_end(blob_of(frame[:4]), 0) is None


def test_a_zstd_frame_with_a_reserved_block() -> None:
    assert zstd_frame_end(blob_of(b"\x28\xb5\x2f\xfd\0\0\x07\0\0" + bytes(99)), 0) is None


@pytest.mark.parametrize(
    ("magic", "name"), [(b"\x02\x21\x4c\x18", "lz4 \\(legacy\\)"), (b"\x89LZO", "lzo"), (b"\x5d\0\0", "lzma")]
)
def test_what_linux_reads_and_this_does_not(magic: bytes, name: str) -> None:
    assert compression_of(magic) is None
    with pytest.raises(UnsupportedInputError, match=f"initrd: compressed with {name}, which is not read"):
        require_readable(magic + bytes(10), "initrd")
    require_readable(b"070701", "initrd")
