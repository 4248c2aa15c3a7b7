"""zstd(1), gzip(1), xz(1) and bzip2(1) make the members."""

from __future__ import annotations

import io
import os
import subprocess
from contextlib import suppress

import pytest

from builders.blobs import blob_of
from builders.tools import require
from teekit_verify.artifacts.compressed import Budget, Decompressed, Unpacked, is_packed, zstd_frame_end
from teekit_verify.artifacts.magic import Compression, compression_of
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
    with pytest.raises(UnsupportedInputError, match=r"initrd \(zstd\): unpacks to more bytes than this program reads"):
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


@pytest.mark.parametrize("options", [("-1",), ("-3",), ("-9",), ("-F",), ("--crc32",), ("-n", "-N")])
def test_what_lzop_packs(options: tuple[str, ...]) -> None:
    plain = PLAIN[:20_000] + os.urandom(70_000) + bytes(200_000) + PLAIN[:30_000]
    assert whole(pack("lzop", plain, *options)) == plain


def test_damaged_lzo() -> None:
    packed = pack("lzop", PLAIN[:20_000])
    with pytest.raises(
        MalformedInputError, match=r"file \(lzo\): compressed data at offset .*: ends before its end mark"
    ):
        whole(packed[:-8])
    with pytest.raises(
        MalformedInputError, match=r"member at offset .*: b'more' follows the end of what is compressed"
    ):
        whole(packed + b"more")
    for at in range(60, len(packed), max(97, len(packed) // 8)):
        with suppress(MalformedInputError):
            assert len(whole(packed[:at] + b"\xff\0" + packed[at + 2 :])) == len(PLAIN[:20_000])


def whole(data: bytes, budget: int = 1 << 30) -> bytes:
    assert is_packed(data[:6])
    return io.BufferedReader(Unpacked(blob_of(data), Budget(budget), "file")).read()


def skippable(content: bytes, number: int = 0) -> bytes:
    """RFC 8878, 3.1.2."""
    return bytes([0x50 + number]) + b"\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


PROGRAMS = ["zstd", "gzip", "xz", "bzip2"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_all_members_are_read(program: str) -> None:
    """What the program itself unpacks the file to."""
    data = pack(program) + pack(program, b"") + pack(program, b"second") + pack(program, b"third")
    expected = subprocess.run([require(program), "-dc"], input=data, check=True, capture_output=True).stdout
    assert whole(data) == expected == PLAIN + b"secondthird"


def test_a_file_of_many_members() -> None:
    """As bgzip makes them: a member for each 64 KiB."""
    member = pack("gzip", b"x")
    assert whole(member * 3000) == b"x" * 3000


@pytest.mark.parametrize(("program", "zeros"), [("gzip", 1), ("gzip", 700_000), ("xz", 4), ("xz", 700_000)])
def test_zeros_between_and_after_members(program: str, zeros: int) -> None:
    data = pack(program, b"one") + bytes(zeros) + pack(program, b"two") + bytes(zeros)
    assert whole(data) == b"onetwo"


def test_skippable_frames_of_zstd_are_passed_over_and_kept() -> None:
    """Before the first frame as pzstd has them, between frames, and at the end as a seek table."""
    frames = [skippable(b"\x10\0\0\0"), skippable(b"", 15), skippable(b"seek table", 14)]
    data = frames[0] + pack("zstd", b"one") + frames[1] + pack("zstd", b"two") + frames[2]
    stream = Unpacked(blob_of(data), Budget(100), "file")
    assert io.BufferedReader(stream).read() == b"onetwo"
    assert [frame.read(0, 100) for frame in stream.skipped] == frames
    expected = subprocess.run([require("zstd"), "-dc"], input=data, check=True, capture_output=True).stdout
    assert expected == b"onetwo"


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("rest", [b"trailing bytes", b"\0\0\0\0more", b"x"])
def test_what_follows_the_members_is_refused(program: str, rest: bytes) -> None:
    with pytest.raises(MalformedInputError, match=rf"file \({program}\): .* follows? the"):
        whole(pack(program, b"one") + rest)


@pytest.mark.parametrize(("program", "zeros"), [("zstd", 4), ("bzip2", 4), ("xz", 3)])
def test_zeros_that_the_format_does_not_allow(program: str, zeros: int) -> None:
    with pytest.raises(MalformedInputError, match=rf"file \({program}\): .*(follow|follows) the"):
        whole(pack(program, b"one") + bytes(zeros))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (skippable(b"x" * 9)[:-1], r"file \(zstd\): skippable frame at offset 0x0: 9 bytes are more than there are"),
        (skippable(b"")[:6], r"file \(zstd\): skippable frame at offset 0x0: "),
        (skippable(b"") + b"\x1f\x8b" + bytes(20), "file: compressed in a way that is not supported"),
        (skippable(b"") + b"\x89LZO\0\r", "file: compressed in a way that is not supported"),
        (skippable(b""), "file: compressed in a way that is not supported"),
    ],
)
def test_skippable_frames_without_a_frame(data: bytes, message: str) -> None:
    with pytest.raises((MalformedInputError, UnsupportedInputError), match=message):
        whole(data)


def test_a_second_member_of_another_kind_is_refused() -> None:
    with pytest.raises(
        MalformedInputError, match=r"file \(gzip\): member at offset 0x\w+: b.* follows the end of what"
    ):
        whole(pack("gzip", b"one") + pack("xz", b"two"))


def test_the_budget_is_for_all_members() -> None:
    with pytest.raises(UnsupportedInputError, match=r"file \(gzip\): unpacks to more bytes than this program reads"):
        whole(pack("gzip", b"x" * 60) * 2, budget=100)
