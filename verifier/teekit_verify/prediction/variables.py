"""UEFI variables as firmware measures them, and the boot options that Google Cloud's firmware makes.

Formats: UEFI_VARIABLE_DATA is in the TCG PC Client Platform Firmware Profile 1.06, 10.2.6; EFI_LOAD_OPTION in UEFI 2.10,
3.1.3; device path nodes in 10.3; signature lists in 32.4.1.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

GLOBAL_VARIABLE = UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
IMAGE_SECURITY_DATABASE = UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
_SECURE_BOOT_ENABLE = UUID("f0a30bc7-af08-4556-99c4-001009c93a44")
_END_OF_PATH = bytes.fromhex("7fff0400")
_ACTIVE = 0x1
_ACTIVE_HIDDEN_APP = 0x109
_UI_APP_VOLUME = UUID("7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1")
_UI_APP_FILE = UUID("462caa21-7614-4503-836e-8ab6f4662331")
BDS_OPTION = UUID("8108ac4e-9f11-4d59-850e-e21a522c59b2")
"""edk2 MdeModulePkg/Library/UefiBootManagerLib/BmBoot.c, mBmAutoCreateBootOptionGuid: the option was made by itself."""


@frozen
class Variable:
    """A UEFI variable. `data` is empty for one that does not exist."""

    vendor: UUID
    name: str
    data: bytes

    def event_data(self) -> bytes:
        """UEFI_VARIABLE_DATA; the name without NUL."""
        name = self.name.encode("utf-16-le")
        return self.vendor.bytes_le + struct.pack("<QQ", len(name) // 2, len(self.data)) + name + self.data


@frozen
class SecureBootVariables:
    """What edk2 measures before anything is loaded, in this order. Contents are raw; empty for a missing variable."""

    secure_boot: bytes
    pk: bytes
    kek: bytes
    db: bytes
    dbx: bytes

    @classmethod
    def found_in(cls, store: Mapping[tuple[UUID, str], bytes]) -> SecureBootVariables:
        """What firmware with Secure Boot makes of its variable store: with a PK it is on, unless switched off there
        (SecurityPkg/Library/AuthVariableLib/AuthVariableLib.c, AuthVariableLibInitialize() at edk2-stable202502).
        """
        pk, kek = (store.get((GLOBAL_VARIABLE, name), b"") for name in ("PK", "KEK"))
        db, dbx = (store.get((IMAGE_SECURITY_DATABASE, name), b"") for name in ("db", "dbx"))
        switch = store.get((_SECURE_BOOT_ENABLE, "SecureBootEnable"), b"\x01")
        return cls(b"\x01" if pk and any(switch) else b"\0", pk, kek, db, dbx)

    @property
    def on(self) -> bool:
        """Whether Secure Boot is enforced."""
        return any(self.secure_boot)

    def variables(self) -> tuple[Variable, ...]:
        """edk2 OvmfPkg/Tcg/TdTcg2Dxe/TdTcg2Dxe.c, MeasureAllSecureVariables(), with mVariableType, at c5aa7e7d."""
        return (
            Variable(GLOBAL_VARIABLE, "SecureBoot", self.secure_boot),
            Variable(GLOBAL_VARIABLE, "PK", self.pk),
            Variable(GLOBAL_VARIABLE, "KEK", self.kek),
            Variable(IMAGE_SECURITY_DATABASE, "db", self.db),
            Variable(IMAGE_SECURITY_DATABASE, "dbx", self.dbx),
        )


def boot_order(numbers: tuple[int, ...]) -> Variable:
    """`numbers` are those of Boot#### variables, in order (UEFI 2.10, 3.3)."""
    return Variable(GLOBAL_VARIABLE, "BootOrder", struct.pack(f"<{len(numbers)}H", *numbers))


def boot_option(number: int, attributes: int, title: str, path: bytes, optional: bytes = b"") -> Variable:
    """Boot####; `path` comes without its end node."""
    full = path + _END_OF_PATH
    text = (title + "\0").encode("utf-16-le")
    return Variable(
        GLOBAL_VARIABLE, f"Boot{number:04X}", struct.pack("<IH", attributes, len(full)) + text + full + optional
    )


def gcp_nvme_option(namespace: int, pci_device: int) -> Variable:
    """The option for the `namespace`-th disk (1 is the boot disk) of the NVMe controller at this PCI device number.

    edk2 MdeModulePkg/Library/UefiBootManagerLib/BmBoot.c: "UEFI " and the disk's model, then its number but for the first.
    """
    title = "UEFI nvme_card-pd" + (f" {namespace}" if namespace > 1 else "")
    acpi = bytes.fromhex("02010c00d041030a00000000")  # PciRoot(0x0)
    pci = bytes.fromhex("0101060000") + bytes([pci_device])
    nvme = bytes.fromhex("03171000") + struct.pack("<I8x", namespace)
    return boot_option(namespace, _ACTIVE, title, acpi + pci + nvme, BDS_OPTION.bytes_le)


def ui_app_option() -> Variable:
    """Boot0000, the firmware's setup: edk2 before stable202505, and Google Cloud."""
    volume = bytes.fromhex("04071400") + _UI_APP_VOLUME.bytes_le
    file = bytes.fromhex("04061400") + _UI_APP_FILE.bytes_le
    return boot_option(0, _ACTIVE_HIDDEN_APP, "UiApp", volume + file)
