"""What another reader would refuse is refused: each format's own checksums, over what its own program made."""

from __future__ import annotations

import io
import struct
import subprocess
import tempfile
import zipfile
import zlib

import pytest

from builders.blobs import blob_of
from builders.cpio import Entry, build_cpio
from builders.tools import require
from teekit_verify.artifacts.blob import Blob
from teekit_verify.artifacts.block_codecs import block_codec
from teekit_verify.artifacts.bundle import members_of
from teekit_verify.artifacts.compressed import Budget, Unpacked
from teekit_verify.artifacts.cpio import CpioReader
from teekit_verify.artifacts.xxh32 import Xxh32, xxh32
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError

PLAIN = b"".join(b"%d, " % (number * number) for number in range(90))


def _unpacked(data: bytes) -> bytes:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return Unpacked(Blob.of(file.fileno()), Budget(1 << 20), "x").read()


@pytest.mark.parametrize(
    "command",
    [
        "lz4 -c",
        "lz4 -c -BX -B4",
        "lz4 -c -BX -BD --content-size",
        "lzop -c",
        "lzop -c -C",
        "lzop -c --crc32",
        "lzop -c -9",
        "xz -c",
        "xz -c -C sha256",
        "xz -c -C crc32",
        "zstd -c",
        "gzip -c",
        "bzip2 -c",
    ],
)
def test_no_bit_of_a_compressed_file_can_be_turned_for_another_content(command: str) -> None:
    """Whatever is taken after that is what was packed; some bits are those of a time or a name."""
    program, *options = command.split()
    packed = subprocess.run([require(program), *options], input=PLAIN, check=True, capture_output=True).stdout
    assert _unpacked(packed) == PLAIN
    taken = 0
    for at in range(len(packed)):
        changed = bytearray(packed)
        changed[at] ^= 1 << at * 5 % 8
        try:
            assert _unpacked(bytes(changed)) == PLAIN, f"byte {at}"
            taken += 1
        except TeekitError:
            pass
    assert taken < 100


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0x02CC5D05),
        (b"a", 0x550D7456),
        (b"abc", 0x32D153FF),
        (b"Nobody inspects the spammish repetition", 0xE2293B2F),
    ],
)
def test_xxhash(data: bytes, value: int) -> None:
    """Values that the xxhash packages of Python and others have in their documentation and tests."""
    state = Xxh32()
    for at in range(len(data)):
        state.update(data[at : at + 1])
    assert (xxh32(data), state.value) == (value, value)


def test_checksums_of_xz_that_nobody_knows() -> None:
    """liblzma passes over them. The kind is in the header and in the end of a stream, each with a CRC of its own."""
    packed = bytearray(subprocess.run([require("xz"), "-c"], input=PLAIN, check=True, capture_output=True).stdout)
    for flags in (slice(6, 8), slice(-4, -2)):
        assert packed[flags] == b"\0\4"
        packed[flags] = b"\0\5"
    packed[8:12] = struct.pack("<I", zlib.crc32(packed[6:8]))
    packed[-12:-8] = struct.pack("<I", zlib.crc32(packed[-8:-2]))
    with pytest.raises(UnsupportedInputError, match="checksums of an unknown kind"):
        _unpacked(bytes(packed))


def _zip(method: int) -> bytearray:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        archive.writestr("a", PLAIN)
    return bytearray(made.getvalue())


def _content(data: bytes | bytearray) -> bytes:
    return b"".join(b"".join(member.content()) for member in members_of(blob_of(bytes(data))))


def _entry(data: bytes | bytearray) -> int:
    return data.rindex(b"PK\1\2")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_with_another_content_than_it_says(method: int) -> None:
    """CRC-32 and size stand in the header before the content and in the directory (APPNOTE 4.3.7, 4.3.12)."""
    assert _content(_zip(method)) == PLAIN
    for in_header, in_directory in ((14, 16), (22, 24)):
        both, one = _zip(method), _zip(method)
        for data, places in ((both, (in_header, _entry(both) + in_directory)), (one, (_entry(one) + in_directory,))):
            for at in places:
                data[at] ^= 1
        with pytest.raises(MalformedInputError, match="which is not what it says"):
            _content(both)
        with pytest.raises(MalformedInputError, match="has another header than its entry"):
            _content(one)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        (8, 1, "is encrypted"),
        (8, 32, "is encrypted, has its sizes in the form of zip64, or is of a newer version"),
        (6, 64, "of a newer version"),
        (10, 9, "another header than its entry"),
        (46, ord("b"), "another header than its entry"),
        (42, 1, "another header than its entry"),
    ],
)
def test_a_zip_whose_directory_says_something_else(field: int, value: int, problem: str) -> None:
    """Flags, method, name, place: whoever reads from the front goes by the header, others by the directory."""
    data = _zip(zipfile.ZIP_STORED)
    data[_entry(data) + field] = value
    with pytest.raises(TeekitError, match=problem):
        _content(data)


def test_a_zip_that_goes_on_after_its_end() -> None:
    data = _zip(zipfile.ZIP_STORED)
    with pytest.raises(MalformedInputError, match="something follows it"):
        _content(data + b"x")
    with pytest.raises(MalformedInputError, match="right before its end record"):
        _content(data[: _entry(data)] + b"more" + data[_entry(data) :])
    data[-4] += 1  # where the directory begins: zipfile would take it for something in front of the archive
    with pytest.raises(MalformedInputError, match="right before its end record"):
        _content(data)


def test_a_cpio_archive_with_another_sum() -> None:
    """Format 070702, as Linux checks it (init/initramfs.c, do_copy); 070701 has a field for it, and none."""
    right = build_cpio([Entry("a", PLAIN, check=sum(PLAIN))], magic=b"070702")
    wrong = build_cpio([Entry("a", PLAIN, check=sum(PLAIN) + 1)], magic=b"070702")
    without = build_cpio([Entry("a", PLAIN, check=7)], magic=b"070701")
    for data in (right, without):
        assert [entry.name for entry in CpioReader(io.BufferedReader(io.BytesIO(data)), "initrd")] == ["a"]
    with pytest.raises(MalformedInputError, match="the bytes add up to"):
        list(CpioReader(io.BufferedReader(io.BytesIO(wrong)), "initrd"))


def test_a_block_of_a_file_system_without_its_end() -> None:
    """Linux wants the end of the stream too (fs/squashfs/zlib_wrapper.c), which has the checksum."""
    unpack, packed = block_codec("zlib", "squashfs"), zlib.compress(PLAIN)
    assert unpack(packed, len(PLAIN)) == PLAIN
    with pytest.raises(ValueError, match="ends before its end mark"):
        unpack(packed[:-4], len(PLAIN))
