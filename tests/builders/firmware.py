"""Firmware volumes and variable stores made field by field (PI specification 1.8, volume 3; edk2 VariableFormat.h)."""

from __future__ import annotations

import lzma
import struct
from uuid import UUID

from builders import tdvf

FFS2 = UUID("8c8ce578-8a3d-4f1c-9935-896185c32dd3")
NVRAM = UUID("fff12b8d-7696-4c8b-a985-2747075b4f50")
LZMA = UUID("ee4e5898-3914-4259-9d6e-dc7bd79403cf")
STORE = UUID("aaf32c78-947b-439a-a180-2e144ec37792")
DRIVER, VOLUME_FILE = 0x07, 0x0B


def _pad(data: bytes, multiple: int) -> bytes:
    return data + b"\xff" * (-len(data) % multiple)


def section(kind: int, content: bytes) -> bytes:
    return (4 + len(content)).to_bytes(3, "little") + bytes([kind]) + content


def sections(*items: bytes) -> bytes:
    return b"".join(_pad(item, 4) for item in items)


def encoded(content: bytes, guid: UUID = LZMA, attributes: int = 1) -> bytes:
    """A section of sections, compressed as edk2 does it."""
    if guid == LZMA:
        content = lzma.compress(content, lzma.FORMAT_ALONE)
    return section(0x02, guid.bytes_le + struct.pack("<HH", 24, attributes) + content)


def file(name: UUID, content: bytes = b"", kind: int = DRIVER, *, size: int | None = None) -> bytes:
    size = 24 + len(content) if size is None else size
    return name.bytes_le + bytes([0, 0, kind, 0]) + size.to_bytes(3, "little") + b"\xf8" + content


def volume(*files: bytes, name: UUID | None = None, file_system: UUID = FFS2, length: int | None = None) -> bytes:
    body = b"".join(_pad(item, 8) for item in files)
    extended = b"" if name is None else _pad(name.bytes_le + struct.pack("<I", 20), 8)
    size = 72 + len(extended) + len(body) + 24
    head = (
        bytes(16)
        + file_system.bytes_le
        + struct.pack("<Q4sIHHH2x", length or size, b"_FVH", 0, 72, 0, 72 if name else 0)
    )
    return head.ljust(72, b"\0") + extended + body + b"\xff" * 24


def variable(vendor: UUID, name: str, data: bytes, state: int = 0x3F) -> bytes:
    text = (name + "\0").encode("utf-16-le")
    head = struct.pack("<HBxIQ16xIII", 0x55AA, state, 7, 0, 0, len(text), len(data)) + vendor.bytes_le
    return _pad(head + text + data, 4)


def variable_store(*variables: bytes, kind: UUID = STORE, size: int = 0x1000, state: int = 0xFE) -> bytes:
    """A configuration volume of `size` and 72 bytes."""
    store = kind.bytes_le + struct.pack("<IBB6x", size, 0x5A, state) + b"".join(variables)
    head = bytes(16) + NVRAM.bytes_le + struct.pack("<Q4sIHHH2x", 72 + size, b"_FVH", 0, 72, 0, 0)
    return head.ljust(72, b"\0") + store.ljust(size, b"\xff")


BDS = UUID("6d33944a-ec75-4855-a54d-809c75241f6c")
DXEFV = UUID("7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1")


def ovmf(*files: UUID, variables: bytes = b"") -> bytes:
    """TDX firmware as `tdvf.build_tdvf` makes it, with edk2's boot manager and these files, and this variable store."""
    inner = volume(*(file(name) for name in (BDS, *files)), name=DXEFV)
    outer = volume(file(UUID(int=9), encoded(section(0x17, inner)), VOLUME_FILE))
    code = bytearray(tdvf.FIRMWARE_BYTES)
    code[: len(variables)] = variables
    code[0x4000 : 0x4000 + len(outer)] = outer
    return tdvf.build_tdvf(fill=bytes(code))
