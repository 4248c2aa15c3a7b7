"""A variable store with a boot entry, as efibootmgr would have left it: EFI_LOAD_OPTION with what the program is given (UEFI 2.10, 3.1.3)."""

from __future__ import annotations

import struct
from uuid import UUID

GLOBAL = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
_ALWAYS = 7
"""Non-volatile, in boot services, at run time."""
_STORE = UUID("aaf32c78-947b-439a-a180-2e144ec37792").bytes_le
_START, _ADDED = 0x55AA, 0x3F


def variable(name: str, data: bytes) -> bytes:
    """AUTHENTICATED_VARIABLE_HEADER of edk2 (MdeModulePkg/Include/Guid/VariableFormat.h), name, data; to a multiple of 4."""
    text = (name + "\0").encode("utf-16-le")
    head = struct.pack("<HBBIQ16xIII", _START, _ADDED, 0, _ALWAYS, 0, 0, len(text), len(data)) + GLOBAL.bytes_le
    made = head + text + data
    return made + b"\xff" * (-len(made) % 4)


def load_option(description: str, path: bytes, given: str) -> bytes:
    """Active; `path` without its end. `given` are the LoadOptions, in UCS-2 with a NUL."""
    whole = path + bytes.fromhex("7fff0400")
    text = (description + "\0").encode("utf-16-le")
    return struct.pack("<IH", 1, len(whole)) + text + whole + (given + "\0").encode("utf-16-le")


def hard_drive(number: int, start: int, size: int, identifier: UUID) -> bytes:
    """A partition of a GPT disk, in blocks (UEFI 2.10, 10.3.5.1)."""
    return struct.pack("<BBHIQQ", 4, 1, 42, number, start, size) + identifier.bytes_le + bytes([2, 2])


def file_path(path: str) -> bytes:
    """(UEFI 2.10, 10.3.5.4)"""
    text = (path + "\0").encode("utf-16-le")
    return struct.pack("<BBH", 4, 4, 4 + len(text)) + text


def with_boot_entry(store: bytes, description: str, path: bytes, given: str) -> bytes:
    """An empty OVMF_VARS with Boot0000, which is tried first."""
    place = store.index(_STORE) + 28
    added = variable("Boot0000", load_option(description, path, given)) + variable("BootOrder", struct.pack("<H", 0))
    assert store[place : place + len(added)] == b"\xff" * len(added), "the store has variables already"
    return store[:place] + added + store[place + len(added) :]
