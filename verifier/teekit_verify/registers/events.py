"""Measurement events. A predicted boot and a parsed event log are the same type: a sequence of `Event`s."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from teekit_verify.core.digest import Algorithm, Digest
    from teekit_verify.registers.registers import Register


class EventType(IntEnum):
    """TCG PC Client Platform Firmware Profile, 10.4.1, table 14."""

    EV_PREBOOT_CERT = 0x0
    EV_POST_CODE = 0x1
    EV_NO_ACTION = 0x3
    EV_SEPARATOR = 0x4
    EV_ACTION = 0x5
    EV_EVENT_TAG = 0x6
    EV_S_CRTM_CONTENTS = 0x7
    EV_S_CRTM_VERSION = 0x8
    EV_CPU_MICROCODE = 0x9
    EV_PLATFORM_CONFIG_FLAGS = 0xA
    EV_TABLE_OF_DEVICES = 0xB
    EV_COMPACT_HASH = 0xC
    EV_IPL = 0xD
    EV_IPL_PARTITION_DATA = 0xE
    EV_NONHOST_CODE = 0xF
    EV_NONHOST_CONFIG = 0x10
    EV_NONHOST_INFO = 0x11
    EV_OMIT_BOOT_DEVICE_EVENTS = 0x12
    EV_POST_CODE2 = 0x13
    EV_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001
    EV_EFI_VARIABLE_BOOT = 0x80000002
    EV_EFI_BOOT_SERVICES_APPLICATION = 0x80000003
    EV_EFI_BOOT_SERVICES_DRIVER = 0x80000004
    EV_EFI_RUNTIME_SERVICES_DRIVER = 0x80000005
    EV_EFI_GPT_EVENT = 0x80000006
    EV_EFI_ACTION = 0x80000007
    EV_EFI_PLATFORM_FIRMWARE_BLOB = 0x80000008
    EV_EFI_HANDOFF_TABLES = 0x80000009
    EV_EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000000A
    EV_EFI_HANDOFF_TABLES2 = 0x8000000B
    EV_EFI_VARIABLE_BOOT2 = 0x8000000C
    EV_EFI_GPT_EVENT2 = 0x8000000D
    EV_EFI_HCRTM_EVENT = 0x80000010
    EV_EFI_VARIABLE_AUTHORITY = 0x800000E0
    EV_EFI_SPDM_FIRMWARE_BLOB = 0x800000E1
    EV_EFI_SPDM_FIRMWARE_CONFIG = 0x800000E2


def event_type_name(number: int) -> str:
    """The specification's name, or the number in hexadecimal for a type it does not list."""
    try:
        return EventType(number).name
    except ValueError:
        return f"{number:#010x}"


@frozen
class Event:
    """One extend of one register.

    `digests` holds one digest for each bank. `data` is the event data as logged, or empty when it is not predicted
    (only digests are compared). `description` says in words what is measured. `cause` is where the measured bytes come
    from, for people to look at when it differs: "UKI section .cmdline", "GPT of the disk", "firmware"; empty for a parsed log.
    """

    register: Register
    event_type: int
    digests: tuple[Digest, ...]
    description: str
    cause: str = ""
    data: bytes = b""

    def digest(self, algorithm: Algorithm) -> Digest:
        """The event's digest in one bank. Raises TeekitError if the log has no such bank."""
        for digest in self.digests:
            if digest.algorithm is algorithm:
                return digest
        raise TeekitError(f"{self.register} event {self.description!r} has no {algorithm.value} digest")
