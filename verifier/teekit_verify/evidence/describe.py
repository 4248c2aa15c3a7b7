"""Says in words what an event of a log measures. For people only: decisions are made on digests.

The layouts are those of the TCG PC Client Platform Firmware Profile 1.05 r23, 10.2 and 10.4. What is not laid out as its
event type asks for is described by its size: a description never fails.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError, printable
from teekit_verify.evidence.devicepath import device_path_text
from teekit_verify.registers.events import EventType
from teekit_verify.registers.measured import MEASURED_EVENT, Measured, split_hashed

if TYPE_CHECKING:
    from collections.abc import Callable

DSTACK_RUNTIME_EVENT = 0x08000001
"""Dstack-TEE/dstack, cc-eventlog/src/runtime_events.rs: not a type of the TCG's."""

IMA_EVENT, CEL_TEXT_EVENT, COS_EVENT, CEL_OTHER_EVENT = 0x08000101, 0x08000102, 0x08000103, 0x08000104
"""Numbers of our own, for what logs without event types have: a file that IMA measured, a text that was measured as it is, an event of
Google's launcher, and whatever else a canonical log holds.
"""

_MAX_TEXT_CHARACTERS = 160
_MAX_NAME_BYTES = 1024
_SEPARATOR_BYTES = 4


def describe(event_type: int, data: bytes) -> str:
    """One line, at most some 200 characters, safe for a terminal."""
    try:
        decode = _DECODERS.get(event_type, _text)
        words = decode(data)
    except (MalformedInputError, UnicodeError, ValueError):
        words = _size(data)
    return _shorten(printable(words))


def _shorten(words: str) -> str:
    return words if len(words) <= _MAX_TEXT_CHARACTERS else words[: _MAX_TEXT_CHARACTERS - 3] + "..."


def _size(data: bytes) -> str:
    return f"{len(data)} bytes"


def text_of(data: bytes) -> str | None:
    """ASCII or UTF-16LE text up to its first NUL; None for what is neither, or no text that can be shown."""
    try:
        return _readable(data)
    except UnicodeDecodeError:
        return None


def _readable(data: bytes) -> str | None:
    """Raises UnicodeDecodeError.

    GRUB logs more bytes than its text has (grub-core/commands/efi/tpm.c, grub_cc_log_event): what follows is not its own.
    """
    head = data[:_MAX_NAME_BYTES]
    wide = len(head) >= 2 and len(head) % 2 == 0 and not any(head[1::2])  # noqa: PLR2004 - one UTF-16 unit
    text = head.decode("utf-16-le").split("\0")[0] if wide else head.split(b"\0")[0].decode("ascii")
    readable = text and all(character.isprintable() or character in "\t\n\r" for character in text)
    return text if readable else None


def _text(data: bytes) -> str:
    text = _readable(data)
    return _size(data) if text is None else f'"{text}"'


def _separator(data: bytes) -> str:
    if not data:
        return "separator, its data is not in the log"
    if data == bytes(_SEPARATOR_BYTES):
        return "separator"
    return f"separator {data[:_SEPARATOR_BYTES].hex()}"


def _variable(data: bytes) -> str:
    """UEFI_VARIABLE_DATA, 10.2.6: GUID, characters in the name, bytes of data, name, data."""
    reader = Reader(memoryview(data), "variable event")
    vendor = _guid(reader)
    characters, size = reader.unpack("QQ", "lengths")
    name = bytes(reader.take(characters * 2, "name")).decode("utf-16-le")
    reader.take(size, "data")
    return f"variable {name} of {vendor}, {size} bytes"


def _image_load(data: bytes) -> str:
    """UEFI_IMAGE_LOAD_EVENT, 10.2.3: address, size, link-time address, size of the device path, device path."""
    reader = Reader(memoryview(data), "image load event")
    _, size, _ = reader.unpack("QQQ", "image")
    path = device_path_text(reader.take(reader.u64("device path size"), "device path"))
    return f"image of {size} bytes from {path}" if path else f"image of {size} bytes from memory"


def _gpt(data: bytes) -> str:
    """UEFI_GPT_DATA, 10.2.4: header of 92 bytes, number of entries, entries of 128 bytes."""
    reader = Reader(memoryview(data), "GPT event")
    reader.take(56, "GPT header")
    disk = _guid(reader)
    reader.take(20, "GPT header")
    count = reader.u64("number of entries")
    reader.take(count * 128, "entries")
    return f"GPT of disk {disk}, {count} partition{'' if count == 1 else 's'}"


def _tagged(data: bytes) -> str:
    """TCG_PCClientTaggedEvent, 10.4.2.1 (Linux and systemd-stub log with it): identifier, size, data."""
    reader = Reader(memoryview(data), "tagged event")
    identifier, size = reader.unpack("II", "identifier and size")
    return f"tag {identifier:#010x} {_text(bytes(reader.take(size, 'data')))}"


def _handoff_tables2(data: bytes) -> str:
    """UEFI_HANDOFF_TABLE_POINTERS2, 10.2.5: text with its length before it, number of tables, tables."""
    reader = Reader(memoryview(data), "hand-off tables event")
    name = _pascal_text(reader)
    return f"hand-off tables {name}, {reader.u64('number of tables')} of them"


def _firmware_blob(data: bytes) -> str:
    """UEFI_PLATFORM_FIRMWARE_BLOB, 10.2.5: address and size."""
    address, size = Reader(memoryview(data), "firmware blob event").unpack("QQ", "blob")
    return f"firmware volume at {address:#x}, {size} bytes"


def _firmware_blob2(data: bytes) -> str:
    """UEFI_PLATFORM_FIRMWARE_BLOB2, 10.2.5: text with its length before it, address and size."""
    reader = Reader(memoryview(data), "firmware blob event")
    name = _pascal_text(reader)
    address, size = reader.unpack("QQ", "blob")
    return f"firmware {name} at {address:#x}, {size} bytes"


def _runtime_event(data: bytes) -> str:
    """What a dstack runtime event extends, as it stands in a binary log: type, ':', name, ':', payload; or JSON."""
    if data[4:5] != b":":
        return _text(data)
    name, _, payload = data[5:].partition(b":")
    return f"runtime event {_text(name)}, {len(payload)} bytes"


def _version(data: bytes) -> str:
    return f"firmware version {_text(data)}"


def _pascal_text(reader: Reader) -> str:
    return _text(bytes(reader.take(reader.u8("length of the description"), "description")))


def _guid(reader: Reader) -> str:
    return str(uuid.UUID(bytes_le=bytes(reader.take(16, "GUID")))).upper()


def _given(data: bytes) -> str:
    """What a guest was given to run."""
    kind, content = split_hashed(data) or ("", data)
    text = content.decode("utf-8")
    if kind == Measured.APP.value:
        number, _, sha256 = text.partition(" ")
        return f"app {number}, sha256 {sha256}"
    if kind == Measured.MANIFEST.value:
        return f"manifest {' '.join(text.split())}"
    return f"{kind} {text}".rstrip()


_DECODERS: dict[int, Callable[[bytes], str]] = {
    EventType.EV_SEPARATOR: _separator,
    EventType.EV_EVENT_TAG: _tagged,
    EventType.EV_S_CRTM_VERSION: _version,
    EventType.EV_EFI_VARIABLE_DRIVER_CONFIG: _variable,
    EventType.EV_EFI_VARIABLE_BOOT: _variable,
    EventType.EV_EFI_VARIABLE_BOOT2: _variable,
    EventType.EV_EFI_VARIABLE_AUTHORITY: _variable,
    EventType.EV_EFI_BOOT_SERVICES_APPLICATION: _image_load,
    EventType.EV_EFI_BOOT_SERVICES_DRIVER: _image_load,
    EventType.EV_EFI_RUNTIME_SERVICES_DRIVER: _image_load,
    EventType.EV_EFI_GPT_EVENT: _gpt,
    EventType.EV_EFI_GPT_EVENT2: _gpt,
    EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB: _firmware_blob,
    EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB2: _firmware_blob2,
    DSTACK_RUNTIME_EVENT: _runtime_event,
    MEASURED_EVENT: _given,
    EventType.EV_EFI_HANDOFF_TABLES2: _handoff_tables2,
}
