"""Disks with a GUID partition table: made by sfdisk, and changed byte by byte with the CRCs put right again."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

from builders.tools import require

SCRIPT = """label: gpt
label-id: 00000000-0000-0000-0000-000000000007
first-lba: 2048
start=2048, size=4096, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=00000000-0000-0000-0001-000000000007, name=esp, attrs=LegacyBIOSBootable
start=8192, size=2048, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=00000000-0000-0000-0002-000000000007, name=data
"""


def sfdisk_disk(folder: Path, script: str = SCRIPT, size_bytes: int = 8 << 20) -> bytes:
    path = folder / "disk.raw"
    with path.open("wb") as stream:
        stream.truncate(size_bytes)
    subprocess.run([require("sfdisk"), "-q", str(path)], input=script.encode(), check=True, capture_output=True)
    return path.read_bytes()


def patched(disk: bytes, offset: int, layout: str, value: int) -> bytes:
    """The disk with one header field (`offset` in LBA 1) replaced, and the header's CRC made to fit."""
    changed = bytearray(disk)
    struct.pack_into("<" + layout, changed, 512 + offset, value)
    size = min(512, struct.unpack_from("<I", changed, 512 + 12)[0])
    changed[512 + 16 : 512 + 20] = bytes(4)
    struct.pack_into("<I", changed, 512 + 16, zlib.crc32(changed[512 : 512 + size]))
    return bytes(changed)


BOOT_SCRIPT = """label: gpt
label-id: 11111111-2222-3333-4444-555555555555
first-lba: 2048
start=2048, size=200000, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp, uuid=66666666-2222-3333-4444-555555555555
"""
"""The 128 MiB disk of the boots in tests/assets/boots."""
