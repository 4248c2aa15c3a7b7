"""The variables of a boot in their events: UEFI_VARIABLE_DATA, boot orders and boot entries. For people, as `describe` is."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.devicepath import device_path_text

if TYPE_CHECKING:
    from teekit_verify.registers.events import Event

_BOOT_OPTION = re.compile("Boot[0-9A-F]{4}")
_SHOWN_CHARACTERS = 60


@frozen
class Variable:
    """A variable's name, safe for a terminal, and its content."""

    name: str
    content: bytes


@frozen
class LoadOption:
    """What a Boot#### variable says (EFI_LOAD_OPTION, UEFI 2.10, 3.1.3), safe for a terminal."""

    description: str
    path: str


def variable_of(event: Event) -> Variable | None:
    """From the event's data (PFP 1.06, 10.2.6); None for what is no variable, and where a prediction has no data."""
    try:
        reader = Reader(memoryview(event.data), "variable event")
        reader.take(16, "GUID")
        characters, size = reader.unpack("QQ", "lengths")
        name = bytes(reader.take(characters * 2, "name")).decode("utf-16-le")
        return Variable(printable(name)[:_SHOWN_CHARACTERS], bytes(reader.take(size, "data")))
    except (MalformedInputError, UnicodeError):
        return None


def is_boot_option(variable: Variable) -> bool:
    """Boot0000 to BootFFFF (UEFI 2.10, 3.3)."""
    return _BOOT_OPTION.fullmatch(variable.name) is not None


def load_option(content: bytes) -> LoadOption | None:
    """None for what is no EFI_LOAD_OPTION."""
    try:
        reader = Reader(memoryview(content), "boot entry")
        _, path_bytes = reader.unpack("IH", "attributes and length of the path")
        units: list[bytes] = []
        while (unit := bytes(reader.take(2, "description"))) != bytes(2):
            units.append(unit)
        path = device_path_text(reader.take(path_bytes, "device path"))
        text = b"".join(units).decode("utf-16-le")
    except (MalformedInputError, UnicodeError):
        return None
    return LoadOption(printable(text)[:_SHOWN_CHARACTERS], printable(path)[: 2 * _SHOWN_CHARACTERS])


def boot_order(content: bytes) -> tuple[int, ...]:
    """The numbers of the boot entries, as they are tried. An odd byte at the end is left out."""
    return struct.unpack(f"<{len(content) // 2}H", content[: len(content) // 2 * 2])
