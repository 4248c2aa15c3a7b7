"""A file that looks like a Linux kernel to firmware (PE) and to boot loaders (Linux/x86 boot protocol, boot.rst)."""

from __future__ import annotations

import struct

from builders.pe import Row, build_pe

KERNEL_BYTES = 0x200 + 0x6000
VERSION_AT = 0x1000


def build_bzimage(
    *,
    protocol: int = 0x20F,
    flags: int = 0x2F,
    initrd_limit: int = 0x7FFFFFFF,
    setup_sectors: int = 15,
    version: bytes = b"6.12.1-test (someone@somewhere) #1",
) -> bytes:
    """`flags` are xloadflags; bit 1 lets the initrd lie anywhere."""
    kernel = bytearray(build_pe([Row(".setup", bytes(range(256)) * 0x60)]))
    assert len(kernel) == KERNEL_BYTES
    kernel[0x1F1] = setup_sectors
    struct.pack_into("<4sHIHHBB", kernel, 0x202, b"HdrS", protocol, 0, 0, VERSION_AT - 0x200, 0, 1)
    struct.pack_into("<IIIHHI", kernel, 0x214, 0x100000, 0, 0, 0, 0, 0)
    struct.pack_into("<I", kernel, 0x22C, initrd_limit)
    struct.pack_into("<H", kernel, 0x236, flags)
    struct.pack_into("<Q", kernel, 0x250, 0)
    kernel[VERSION_AT : VERSION_AT + len(version) + 1] = version + b"\0"
    return bytes(kernel)
