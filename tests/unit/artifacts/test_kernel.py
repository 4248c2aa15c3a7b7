from __future__ import annotations

import struct

import pytest

from builders.blobs import blob_of
from builders.bzimage import build_bzimage
from teekit_verify.artifacts.kernel import parse_bzimage
from teekit_verify.artifacts.pe import Span
from teekit_verify.core.errors import MalformedInputError


def with_payload(offset: int, size: int, **options: int) -> bytes:
    """Linux Documentation/arch/x86/boot.rst: payload_offset at 0x248, payload_length at 0x24c."""
    kernel = bytearray(build_bzimage(**options))  # type: ignore[arg-type]
    struct.pack_into("<II", kernel, 0x248, offset, size)
    return bytes(kernel)


def test_banner_and_payload() -> None:
    found = parse_bzimage(blob_of(with_payload(0x10, 0x20)))
    assert found.banner == "6.12.1-test (someone@somewhere) #1"
    assert found.payload == Span(16 * 512 + 0x10, 16 * 512 + 0x30)  # 15 sectors of setup code and the boot sector


def test_no_count_of_sectors_means_four() -> None:
    assert parse_bzimage(blob_of(with_payload(0, 1, setup_sectors=0))).payload == Span(5 * 512, 5 * 512 + 1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "bzImage: header at offset 0x202: expected 'HdrS'"),
        (with_payload(0, 0, protocol=0x207), "bzImage: version at offset 0x206: 0x207 is older than 0x208"),
        (with_payload(1 << 30, 1), "bzImage: payload at offset 0x248: 1 bytes at 0x40002000 reach beyond the file's"),
    ],
)
def test_what_is_no_kernel(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInputError) as caught:
        parse_bzimage(blob_of(data))
    assert caught.value.message.startswith(message)
