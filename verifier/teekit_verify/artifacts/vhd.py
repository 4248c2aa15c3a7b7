"""The footer of a fixed virtual hard disk: Microsoft "Virtual Hard Disk Image Format Specification" 1.0 (2006).

A fixed disk is the raw disk, and 512 bytes after it. All numbers are big-endian.
"""

from __future__ import annotations

import struct
from uuid import UUID

from teekit_verify.artifacts.magic import VHD_COOKIE, VHD_FOOTER_BYTES
from teekit_verify.core.errors import MalformedInputError, UnsupportedInputError
from teekit_verify.core.frozen import frozen

_LAYOUT = ">8sIIQI4sI4sQQHBBII16sB"
_VERSION = 0x00010000
_NO_OFFSET = (1 << 64) - 1
_KINDS = {2: "fixed", 3: "dynamic", 4: "differencing"}
_FIXED, _DYNAMIC = 2, 3
_SECTOR_BYTES = 512


@frozen
class Geometry:
    """What old disk controllers address: cylinders, heads, sectors per track."""

    cylinders: int
    heads: int
    sectors: int


@frozen
class VhdFooter:
    """`size_bytes` is that of the raw disk; `timestamp` counts seconds from 2000-01-01; `creator` is a short code."""

    size_bytes: int
    geometry: Geometry
    timestamp: int
    creator: str
    unique_id: UUID


def parse_footer(footer: bytes, file_bytes: int) -> VhdFooter:
    """The footer of a file of `file_bytes` bytes, of which it is the last 512. Raises MalformedInputError with offset and
    field, or UnsupportedInputError for dynamic and differencing disks.
    """
    base = file_bytes - VHD_FOOTER_BYTES
    found, kind, data_offset = _fields(footer, base)
    if kind != _FIXED:
        raise UnsupportedInputError(
            f"VHD: disk type {kind} ({_KINDS.get(kind, 'unknown')}), expected 2 (fixed)",
            hint="Convert it with `qemu-img convert -O vpc -o subformat=fixed,force_size=on`.",
        )
    if data_offset not in {_NO_OFFSET, _NO_OFFSET >> 32}:  # the specification's text says 32 bits, everyone writes 64
        raise _bad("data offset", base, 16, f"{data_offset:#x}, but a fixed disk has no more headers")
    if found.size_bytes != base or found.size_bytes % _SECTOR_BYTES:
        raise _bad("current size", base, 48, f"{found.size_bytes} bytes, but {base} bytes come before the footer")
    return found


def parse_dynamic_footer(footer: bytes) -> tuple[VhdFooter, int]:
    """The copy of a dynamic disk's footer at the beginning of the file, and the offset of the header that follows.

    Raises MalformedInputError with offset and field, or UnsupportedInputError for differencing disks.
    """
    found, kind, data_offset = _fields(footer, 0)
    if kind != _DYNAMIC:
        raise UnsupportedInputError(
            f"VHD: disk type {kind} ({_KINDS.get(kind, 'unknown')}), expected 3 (dynamic)",
            hint="Convert it with `qemu-img convert -O raw`.",
        )
    return found, data_offset


def _fields(footer: bytes, base: int) -> tuple[VhdFooter, int, int]:
    """With the type of the disk, and the offset of what follows."""
    if len(footer) != VHD_FOOTER_BYTES:
        raise _bad("footer", 0, 0, f"needs {VHD_FOOTER_BYTES} bytes, found {len(footer)}")
    fields = struct.unpack_from(_LAYOUT, footer)
    cookie, _, version, data_offset, timestamp, creator, _, _, _, size_bytes = fields[:10]
    cylinders, heads, sectors, kind, checksum, unique_id, _ = fields[10:]
    if cookie != VHD_COOKIE:
        raise _bad("cookie", base, 0, f"expected {VHD_COOKIE!r}, found {cookie!r}")
    if checksum != (expected := footer_checksum(footer)):
        raise _bad("checksum", base, 64, f"expected {expected:#010x}, found {checksum:#010x}")
    if version >> 16 != _VERSION >> 16:
        raise _bad("file format version", base, 12, f"{version:#010x} is not {_VERSION:#010x}")
    creator_text = creator.decode("latin-1").rstrip("\0 ")
    geometry = Geometry(cylinders, heads, sectors)
    return VhdFooter(size_bytes, geometry, timestamp, creator_text, UUID(bytes=unique_id)), kind, data_offset


def footer_checksum(footer: bytes) -> int:
    """The specification: "one's complement of the sum of all the bytes in the footer without the checksum field"."""
    return ~(sum(footer[:64]) + sum(footer[68:])) & 0xFFFFFFFF


def geometry_of(size_bytes: int) -> Geometry:
    """The geometry of a disk of that size, by the specification's appendix "CHS Calculation"."""
    total = min(size_bytes // _SECTOR_BYTES, 65535 * 16 * 255)
    if total >= 65535 * 16 * 63:
        heads, sectors = 16, 255
    else:
        sectors = 17
        heads = max(-(-(total // sectors) // 1024), 4)
        if total // sectors >= heads * 1024 or heads > 16:  # noqa: PLR2004
            sectors, heads = 31, 16
        if total // sectors >= heads * 1024:
            sectors, heads = 63, 16
    return Geometry(total // sectors // heads, heads, sectors)


def _bad(field: str, base: int, offset: int, problem: str) -> MalformedInputError:
    return MalformedInputError("VHD footer", field=field, offset=base + offset, problem=problem)
