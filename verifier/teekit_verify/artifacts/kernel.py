"""The Linux kernel in a bzImage: its version string, and the compressed payload with the kernel proper (vmlinux).

Source: Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header", protocol 2.08 and later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.artifacts.pe import Span
from teekit_verify.core.errors import MalformedInputError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from teekit_verify.artifacts.blob import Blob

_MAX_HEADER_BYTES = 0x10000
_MAX_BANNER_BYTES = 512
_PAYLOAD_PROTOCOL = 0x208
_SECTOR_BYTES = 512


@frozen
class BzImage:
    """`banner` is "6.12.107 (someone@somewhere) #1 SMP ..."; `payload` is where the compressed kernel is in the file."""

    banner: str
    payload: Span


def parse_bzimage(blob: Blob) -> BzImage:
    """Raises MalformedInputError with offset and field."""
    head = blob.read(0, _MAX_HEADER_BYTES)
    if head[0x202:0x206] != b"HdrS":
        raise MalformedInputError("bzImage", field="header", offset=0x202, problem="expected 'HdrS'")
    if _number(head, 0x206, 2) < _PAYLOAD_PROTOCOL:
        problem = f"{_number(head, 0x206, 2):#x} is older than {_PAYLOAD_PROTOCOL:#x}"
        raise MalformedInputError("bzImage", field="version", offset=0x206, problem=problem)
    start = _number(head, 0x20E, 2)
    banner = head[start + 0x200 : start + 0x200 + _MAX_BANNER_BYTES].split(b"\0", 1)[0] if start else b""
    # "The setup code is (setup_sects + 1) sectors"; 0 means 4. payload_offset counts from the protected-mode code.
    payload = ((head[0x1F1] or 4) + 1) * _SECTOR_BYTES + _number(head, 0x248, 4)
    size_bytes = _number(head, 0x24C, 4)
    if payload + size_bytes > blob.size_bytes:
        problem = f"{size_bytes} bytes at {payload:#x} reach beyond the file's {blob.size_bytes}"
        raise MalformedInputError("bzImage", field="payload", offset=0x248, problem=problem)
    return BzImage(banner.decode("latin-1"), Span(payload, payload + size_bytes))


def _number(head: bytes, offset: int, size_bytes: int) -> int:
    return int.from_bytes(head[offset : offset + size_bytes], "little")
