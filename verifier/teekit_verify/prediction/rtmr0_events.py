"""The events of RTMR0 that every TDX firmware made of edk2 measures, one function for each; who calls says what is measured, and from where.

The first words of a cause are COMPUTED or RECORDED. PFP is the TCG PC Client Platform Firmware Profile 1.06.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import rtmr

if TYPE_CHECKING:
    from teekit_verify.prediction.tdhob import MemoryRange
    from teekit_verify.prediction.variables import Variable

RTMR0 = rtmr(0)
COMPUTED, RECORDED = "computed", "recorded"
_HOB_TABLE_GUID = UUID("93bb96af-b9f2-4eb8-9462-e0ba74564236")
_CFV_NAME = b"Fv(48DB5E17-707C-472D-91CD-1613E7EF51B0)\0"


def ev_efi_handoff_tables2(hob: bytes, address: int, cause: str) -> Event:
    """edk2 OvmfPkg/IntelTdx/TdxHelperLib/SecTdxHelper.c, TdxHelperMeasureTdHob(): the list without its end record.

    The event names "TdxTable", one table, and the address of the list.
    """
    data = b"\x09TdxTable\0" + struct.pack("<Q", 1) + _HOB_TABLE_GUID.bytes_le + struct.pack("<Q", address)
    return _measured(EventType.EV_EFI_HANDOFF_TABLES2, hob, "TD HOB", cause, data)


def ev_efi_platform_firmware_blob2(digest: Digest, cause: str, place: MemoryRange | None = None) -> Event:
    """edk2 OvmfPkg/IntelTdx/TdxHelperLib/SecTdxHelper.c, TdxHelperMeasureCfvImage(): the configuration volume's bytes."""
    kind, data = EventType.EV_EFI_PLATFORM_FIRMWARE_BLOB2, b""
    if place is not None:
        data = bytes([len(_CFV_NAME)]) + _CFV_NAME + struct.pack("<QQ", place.start, place.size_bytes)
    return Event(RTMR0, kind, (digest,), "configuration volume", cause, data)


def ev_efi_variable_driver_config(variable: Variable, cause: str) -> Event:
    """PFP 10.4.1: the digest is of the whole UEFI_VARIABLE_DATA."""
    data = variable.event_data()
    return _measured(EventType.EV_EFI_VARIABLE_DRIVER_CONFIG, data, f"variable {variable.name}", cause, data)


def ev_separator() -> Event:
    """PFP 10.4.1: four zero bytes."""
    return _measured(EventType.EV_SEPARATOR, bytes(4), "separator", f"{COMPUTED} from: firmware", bytes(4))


def ev_acpi_data(digest: Digest, name: str, cause: str) -> Event:
    """edk2 OvmfPkg/Library/AcpiPlatformLib/QemuFwCfgAcpi.c: a blob as the VMM gives it; all are named "ACPI DATA"."""
    return Event(RTMR0, EventType.EV_PLATFORM_CONFIG_FLAGS, (digest,), f"ACPI {name}", cause, b"ACPI DATA")


def ev_efi_variable_boot(variable: Variable, cause: str) -> Event:
    """edk2 OvmfPkg/Tcg/TdTcg2Dxe/TdTcg2Dxe.c, ReadAndMeasureBootVariable(): the digest is of the variable's data alone."""
    words, data = f"variable {variable.name}", variable.event_data()
    return _measured(EventType.EV_EFI_VARIABLE_BOOT, variable.data, words, cause, data)


def _measured(kind: EventType, message: bytes, description: str, cause: str, data: bytes) -> Event:
    return Event(RTMR0, kind, (Digest.of(Algorithm.SHA384, message),), description, cause, data)
