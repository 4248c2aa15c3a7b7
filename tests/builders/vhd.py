"""Fixed VHDs: made by qemu-img, or a footer written field by field (Virtual Hard Disk Image Format Specification 1.0)."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from uuid import UUID

from builders.tools import require

UNIQUE_ID = UUID("12345678-9abc-def0-1234-56789abcdef0")


def run(*argv: str) -> bytes:
    program, *arguments = argv
    return subprocess.run([require(program), *arguments], capture_output=True, check=True).stdout


def empty(path: Path, size_bytes: int) -> Path:
    with path.open("wb") as stream:
        stream.truncate(size_bytes)
    return path


def convert(raw: Path, options: str) -> Path:
    target = raw.with_suffix(".vhd")
    run("qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", options, str(raw), str(target))
    return target


def last_bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(-512, 2)
        return stream.read()


def footer(size_bytes: int) -> bytes:
    body = struct.pack(
        ">8sIIQI4sI4sQQHBBII16s",
        *(b"conectix", 2, 0x00010000, (1 << 64) - 1, 0, b"win ", 0x00010000, b"Wi2k"),
        *(size_bytes, size_bytes, 90, 4, 17, 2, 0, UNIQUE_ID.bytes),
    )
    return with_checksum(bytearray(body.ljust(512, b"\0")))


def with_checksum(changed: bytearray) -> bytes:
    changed[64:68] = bytes(4)
    struct.pack_into(">I", changed, 64, 0xFFFFFFFF - sum(changed))
    return bytes(changed)
