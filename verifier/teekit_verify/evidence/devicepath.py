"""The text of a UEFI device path, for people; measured are its bytes (UEFI 2.10, 10.3 and 10.6)."""

from __future__ import annotations

import struct
import uuid

from teekit_verify.core.binary import Reader

_MAX_NODES = 64
_END_TYPE = 0x7F


def device_path_text(data: bytes | memoryview) -> str:
    r"""Such as `PciRoot(0x0)/Pci(0x2,0x0)/HD(1,GPT,...)/\EFI\BOOT\BOOTX64.EFI`. Raises MalformedInputError."""
    reader = Reader(memoryview(data), "device path")
    nodes: list[str] = []
    while reader.remaining and len(nodes) < _MAX_NODES:
        kind, subtype, length = reader.unpack("BBH", "node header")
        body = bytes(reader.take(length - 4, "node"))
        if kind == _END_TYPE:
            break
        nodes.append(_node_text(kind, subtype, body))
    return "/".join(nodes)


def _node_text(kind: int, subtype: int, body: bytes) -> str:
    """One node; nodes of an unexpected size or type as `Path(type,subtype,bytes)`, as UEFI 2.10 table 10.51 has it."""
    match kind, subtype, len(body):
        case 0x01, 0x01, 2:
            return f"Pci({body[1]:#x},{body[0]:#x})"
        case 0x02, 0x01, 8 if body[:4] == bytes.fromhex("d041030a"):
            return f"PciRoot({int.from_bytes(body[4:], 'little'):#x})"
        case 0x03, 0x02, 4:
            return "Scsi({:#x},{:#x})".format(*struct.unpack("<HH", body))
        case 0x03, 0x17, 12:
            return f"NVMe({int.from_bytes(body[:4], 'little'):#x})"
        case 0x04, 0x01, 38 if body[36] == 2:  # noqa: PLR2004 - partition format GPT
            number, start, size = struct.unpack_from("<IQQ", body)
            return f"HD({number},GPT,{_guid(body[20:36])},{start:#x},{size:#x})"
        case 0x04, 0x03, size if size >= 16:  # noqa: PLR2004 - a GUID
            return f"VenMedia({_guid(body[:16])})"
        case 0x04, 0x04, _:
            return body.decode("utf-16-le", "replace").rstrip("\0")
        case 0x04, 0x06, 16:
            return f"FvFile({_guid(body)})"
        case 0x04, 0x07, 16:
            return f"Fv({_guid(body)})"
        case _:
            return f"Path({kind},{subtype},{body[:32].hex()})"


def _guid(data: bytes) -> str:
    return str(uuid.UUID(bytes_le=data)).upper()
