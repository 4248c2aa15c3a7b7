"""The boot options that OVMF makes for the devices of a QEMU machine, when it boots for the first time.

Sources, edk2-stable202302 to edk2-stable202605, and c5aa7e7d: OvmfPkg/Library/PlatformBootManagerLib/BdsPlatform.c (which options of the
firmware's own), MdeModulePkg/Library/UefiBootManagerLib/BmBoot.c, BmEnumerateBootOptions() (one for each disk in the order
of the PCI devices, then one for each way to boot from a network), and BmBootDescription.c (their names). Real boots of
Debian's OVMF confirm the order and every byte (tests/assets/bootoptions).
"""

from __future__ import annotations

import re
import struct
from enum import Enum
from typing import TYPE_CHECKING
from uuid import UUID

from teekit_verify.core.errors import UnsupportedInputError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.prediction.variables import BDS_OPTION, Variable, boot_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from teekit_verify.artifacts.firmware_volume import FirmwareVolume

_ACTIVE, _HIDDEN, _APP = 0x1, 0x8, 0x100
_BDS = UUID("6d33944a-ec75-4855-a54d-809c75241f6c")
_UI_APP = UUID("462caa21-7614-4503-836e-8ab6f4662331")
_BOOT_MANAGER_MENU = UUID("eec25bdc-67f2-4d95-b1d5-f81b2039d11d")
_SHELL = UUID("7c04a583-9e3e-4f1c-ad65-e05268d0b4d1")
_GRUB = UUID("b5ae312c-bc8a-43b1-9c62-ebb826dd5d07")
_SECURE_BOOT = UUID("f0e6a44f-7195-41c3-ac64-54f202cd0a21")
_VIRTIO_NET = UUID("a92cdb4b-82f1-4e0b-a516-8a655d371524")
_PXE = UUID("b95e9fda-26de-48d2-8807-1f9107ac5e3a")
_HTTP_BOOT = UUID("ecebcb00-d9c8-11e4-af3d-8cdcd426c973")
_IP6 = UUID("5bedb5cc-d830-4eb2-8742-2d4cc9b54f2c")
_NEW_MENU_FROM = 202505
"""b1ac4e3a5a and its neighbours (edk2-stable202505): BootManagerMenuApp is the hidden first option, UiApp one of its own."""
_PCI_ROOT = bytes.fromhex("02010c00d041030a00000000")
_MOST_NVME_SERIAL, _MOST_DEVICES = 20, 256


class DeviceKind(Enum):
    """What can be booted from; the value is the type's name in QEMU."""

    VIRTIO_BLK = "virtio-blk-pci"
    VIRTIO_SCSI = "virtio-scsi-pci"
    NVME = "nvme"
    VIRTIO_NET = "virtio-net-pci"


_DRIVERS = {
    DeviceKind.VIRTIO_BLK: UUID("11d92dfb-3ca9-4f93-ba2e-4780ed3e03b5"),
    DeviceKind.VIRTIO_SCSI: UUID("fab5d4f4-83c0-4aaf-8480-442d11df6cea"),
    DeviceKind.NVME: UUID("5be3bdf4-53cf-46a3-a6a9-73c34a6e5ee3"),
    DeviceKind.VIRTIO_NET: _VIRTIO_NET,
}


@frozen
class BootDevice:
    """A device on PCI bus 0. `text` is an NVMe drive's serial number, or a network card's MAC address with colons; a
    SCSI controller has one disk, target 0 and LUN 0, under QEMU's own name.
    """

    kind: DeviceKind
    device: int
    function: int = 0
    text: str = ""


@frozen
class OvmfFiles:
    """The volume that the boot manager runs from, and the files in it. In a TD the firmware picks up no other volume
    (FV.NCCFV of OvmfPkg/IntelTdx/IntelTdxX64.fdf is for other guests).
    """

    volume: UUID
    files: frozenset[UUID]

    @classmethod
    def of(cls, volumes: Iterable[FirmwareVolume]) -> OvmfFiles:
        """Raises UnsupportedInputError for firmware without edk2's boot manager, BdsDxe."""
        for volume in volumes:
            if _BDS in volume.files and volume.name is not None:
                return cls(volume.name, volume.files)
        raise UnsupportedInputError("firmware: no volume has edk2's boot manager, BdsDxe")

    @property
    def has_secure_boot(self) -> bool:
        """Built with SECURE_BOOT_ENABLE, which puts SecureBootConfigDxe beside the code that keeps the variables."""
        return _SECURE_BOOT in self.files


def boot_options(release: int, files: OvmfFiles, devices: Sequence[BootDevice] | None) -> tuple[Variable, ...]:
    """Boot0000 and on, which is also their order. `release` as in `edk2.Edk2`; `devices` in any order. None: QEMU hands
    over a kernel, which is started before the firmware looks for more than its own options.

    Raises UnsupportedInputError for a device that the firmware has no driver for, and for firmware with a GRUB of its own.
    """
    if _GRUB in files.files:
        raise UnsupportedInputError("firmware: it boots its built-in GRUB, not the disk")
    if len(devices or ()) > _MOST_DEVICES:
        raise UnsupportedInputError(
            f"a machine with {len(devices or ())} devices to boot from: at most {_MOST_DEVICES}"
        )
    new = release >= _NEW_MENU_FROM
    app = _ACTIVE | _APP
    rows: list[tuple[int, str, bytes, bytes]] = []
    menu, name = (_BOOT_MANAGER_MENU, "BootManagerMenuApp") if new else (_UI_APP, "UiApp")
    if menu in files.files:
        rows.append((app | _HIDDEN, name, _file_path(files, menu), b""))
    if new and _UI_APP in files.files:
        rows.append((app, "EFI Firmware Setup", _file_path(files, _UI_APP), b""))
    found = _numbered(_enumerated(files, devices or ()))
    rows += [(_ACTIVE, title, path, BDS_OPTION.bytes_le) for title, path in found]
    if devices is not None and _SHELL in files.files:
        rows.append((app if new else _ACTIVE, "EFI Internal Shell", _file_path(files, _SHELL), b""))
    return tuple(
        boot_option(number, attributes, title, path, optional)
        for number, (attributes, title, path, optional) in enumerate(rows)
    )


def _enumerated(files: OvmfFiles, devices: Sequence[BootDevice]) -> Iterator[tuple[str, bytes]]:
    """BmEnumerateBootOptions(): disks first, then network cards."""
    ordered = sorted(devices, key=lambda device: (device.device, device.function))
    for device in ordered:
        if _DRIVERS[device.kind] not in files.files:
            raise UnsupportedInputError(
                f"{device.kind.value} at 00:{device.device:02x}.{device.function}: this firmware has no driver for it",
                hint="Leave it out, or boot from a disk that the firmware can read.",
            )
        if device.kind is not DeviceKind.VIRTIO_NET:
            title, node = _disk(device)
            yield f"UEFI {title}", _PCI_ROOT + _pci(device) + node
    for device in ordered:
        if device.kind is DeviceKind.VIRTIO_NET:
            yield from _network(files, device)


def _disk(device: BootDevice) -> tuple[str, bytes]:
    """BmBootDescription.c: name and last node of a disk's path. virtio-blk tells no name."""
    match device.kind:
        case DeviceKind.NVME:
            if not re.fullmatch(rf"[!-~]{{1,{_MOST_NVME_SERIAL}}}", device.text):
                raise UnsupportedInputError(
                    f"nvme: the serial number '{printable(device.text[:40])}' is not of 1 to {_MOST_NVME_SERIAL} "
                    "visible ASCII characters"
                )
            return f"QEMU NVMe Ctrl {device.text} 1", bytes.fromhex("03171000") + struct.pack("<I8x", 1)
        case DeviceKind.VIRTIO_SCSI:
            # BmGetDescriptionFromDiskInfo(): vendor and product, padded to 8 and 16, of runs of spaces one is left.
            return "QEMU QEMU HARDDISK ", bytes.fromhex("0302080000000000")
        case DeviceKind.VIRTIO_BLK | DeviceKind.VIRTIO_NET:
            return "Misc Device", b""


def _network(files: OvmfFiles, device: BootDevice) -> Iterator[tuple[str, bytes]]:
    """BmGetNetworkDescription(): the drivers UefiPxeBcDxe and HttpBootDxe, each with IPv4 and IPv6."""
    if not re.fullmatch(r"([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}", device.text):
        raise UnsupportedInputError(f"virtio-net-pci: not a MAC address: '{printable(device.text[:40])}'")
    address = bytes.fromhex(device.text.replace(":", ""))
    mac = bytes.fromhex("030b2500") + address.ljust(32, b"\0") + b"\x01"
    before = _PCI_ROOT + _pci(device) + mac
    ipv4 = bytes.fromhex("030c1b00") + bytes(23)
    ipv6 = bytes.fromhex("030d3c00") + bytes(39) + bytes([64]) + bytes(16)  # the length of the prefix
    uri = bytes.fromhex("03180400")
    for driver, name, last in ((_PXE, "PXE", b""), (_HTTP_BOOT, "HTTP", uri)):
        if driver in files.files:
            yield f"UEFI {name}v4 (MAC:{address.hex().upper()})", before + ipv4 + last
            if _IP6 in files.files:
                yield f"UEFI {name}v6 (MAC:{address.hex().upper()})", before + ipv6 + last


def _numbered(found: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """BmMakeBootOptionDescriptionUnique(): the second of one name is called "<name> 2"."""
    seen: dict[str, int] = {}
    for title, path in found:
        seen[title] = seen.get(title, 0) + 1
        yield (title if seen[title] == 1 else f"{title} {seen[title]}"), path


def _file_path(files: OvmfFiles, file: UUID) -> bytes:
    """Fv(volume)/FvFile(file)."""
    return bytes.fromhex("04071400") + files.volume.bytes_le + bytes.fromhex("04061400") + file.bytes_le


def _pci(device: BootDevice) -> bytes:
    return bytes.fromhex("01010600") + bytes([device.function, device.device])
