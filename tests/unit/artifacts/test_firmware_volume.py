"""Firmware volumes: made ones, and what does not follow the format. Debian's own are in tests/integration."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import firmware as build
from teekit_verify.artifacts.firmware_volume import FirmwareVolume, read_volumes
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError

OUTER, INNER, ONE, TWO, PAD = (UUID(int=number) for number in range(1, 6))
INSIDE = build.volume(build.file(ONE, b"code"), build.file(PAD, b"\xff" * 9, 0xF0), build.file(TWO), name=INNER)
NESTED = build.volume(
    build.file(
        TWO, build.encoded(build.sections(build.section(0x19, b"raw"), build.section(0x17, INSIDE))), build.VOLUME_FILE
    ),
    name=OUTER,
)


def test_volumes_within_volumes_and_behind_each_other() -> None:
    plain = build.volume(build.file(ONE))
    nvram = build.volume(name=INNER, file_system=build.NVRAM)
    assert read_volumes(memoryview(NESTED + plain + nvram + bytes(100))) == (
        FirmwareVolume(OUTER, frozenset([TWO])),
        FirmwareVolume(INNER, frozenset([ONE, TWO])),
        FirmwareVolume(None, frozenset([ONE])),
        FirmwareVolume(INNER, frozenset()),
    )
    assert read_volumes(memoryview(b"")) == ()


def test_a_section_that_is_only_named_is_read_as_it_is() -> None:
    named = build.file(TWO, build.encoded(build.section(0x17, INSIDE), ONE, 0), build.VOLUME_FILE)
    assert [found.name for found in read_volumes(memoryview(build.volume(named)))] == [None, INNER]


def _deep(levels: int) -> bytes:
    data = INSIDE
    for _ in range(levels):
        data = build.volume(build.file(ONE, build.section(0x17, data), build.VOLUME_FILE))
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (build.volume(length=20), "length at offset 0x36: 20 bytes with a header of 72"),
        (build.volume(length=1 << 40), "1099511627776 bytes with a header of 72, 96 are left"),
        (build.volume(build.file(ONE, size=23)), "file at offset 0x60: needs -1 bytes"),
        (build.volume(build.file(ONE, size=500)), "needs 476 bytes"),
        (build.volume(*[build.file(ONE)] * 4097), "file at offset .*: there are more than 4096"),
        (_deep(6), "nesting at offset 0x0: more than 4 volumes within each other"),
        (
            build.volume(
                build.file(ONE, build.section(0x02, build.LZMA.bytes_le + b"\x18\0\1\0xx"), build.VOLUME_FILE)
            ),
            "LZMA data",
        ),
        (
            build.volume(build.file(ONE, build.encoded(bytes(64 << 20) + b"x"), build.VOLUME_FILE)),
            "unpacks to more than 64 MiB",
        ),
    ],
)
def test_malformed(data: bytes, message: str) -> None:
    with pytest.raises(MalformedInputError, match=message):
        read_volumes(memoryview(data))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (build.section(0x01, b"\0" * 8), "compressed, and not with edk2's LZMA"),
        (build.encoded(b"", ONE), "has an unknown encoding: 00000000-0000-0000-0000-000000000003"),
    ],
)
def test_unknown_encodings(section: bytes, message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=message):
        read_volumes(memoryview(build.volume(build.file(ONE, section, build.VOLUME_FILE))))


@given(st.integers(0, len(NESTED) - 1), st.integers(0, 255))
def test_changed_bytes_never_surprise(position: int, value: int) -> None:
    data = bytearray(NESTED)
    data[position] = value
    try:
        assert len(read_volumes(memoryview(data))) <= 4
    except TeekitError as error:
        assert error.message  # noqa: PT017 - any of ours will do
