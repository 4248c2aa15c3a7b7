"""What a machine can be booted from, asked of QEMU itself: its object model knows every device with its properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from teekit_verify.core.errors import TeekitError, UnsupportedInputError, printable
from teekit_verify.prediction.qemu_boot_options import BootDevice, DeviceKind

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDERS = ("/machine/peripheral", "/machine/peripheral-anon")
"""Devices of the command line, with an id and without one; what QEMU adds by itself is elsewhere."""
_ROOT_BUS = "/machine/q35/pcie.0"
_FLASH = "/machine/system.flash"
_SCSI_DISK = "scsi-hd"
_USUAL_SCSI_DISK = {
    "channel": 0,
    "scsi-id": 0,
    "lun": 0,
    "vendor": "QEMU",
    "product": "QEMU HARDDISK",
    "removable": False,
}
_TEXTS = {DeviceKind.NVME: "serial", DeviceKind.VIRTIO_NET: "mac"}
_NO_OPTION = {
    *("virtio-rng-pci", "virtio-serial-pci", "virtio-balloon-pci", "vhost-vsock-pci", "ivshmem-plain"),
    *("virtconsole", "virtserialport", "isa-serial", "tpm-crb", "tpm-tis", "pvpanic"),
}
"""Devices that no boot option follows from."""
_BUILT_IN = {(0, 0), (0x1F, 0), (0x1F, 2), (0x1F, 3)}
"""q35's own functions: host bridge, LPC, SATA, SMBus. A drive at the SATA controller is found among the drives."""
_HINT = "Describe a machine with -nodefaults, one root bus, and devices without option ROM (romfile=) and bootindex."


class Monitor(Protocol):
    """QEMU's control connection."""

    def execute(self, command: str, **arguments: object) -> object: ...


def boot_devices(qmp: Monitor) -> tuple[BootDevice, ...]:
    """Raises UnsupportedInputError for a machine with a device that may change what the firmware boots, and is not known."""
    devices = {path: kind for folder in _FOLDERS for path, kind in _children(qmp, folder)}
    found = [device for path, kind in devices.items() for device in _device(qmp, path, kind, devices)]
    _refuse_others(qmp, devices)
    return tuple(found)


def _children(qmp: Monitor, folder: str) -> Iterator[tuple[str, str]]:
    for row in _rows(qmp.execute("qom-list", path=folder)):
        kind = str(row.get("type"))
        if kind.startswith("child<"):
            yield f"{folder}/{row.get('name')}", kind.removeprefix("child<").removesuffix(">")


def _device(qmp: Monitor, path: str, kind: str, devices: dict[str, str]) -> Iterator[BootDevice]:
    if kind in _NO_OPTION or kind == _SCSI_DISK:
        if kind.endswith("-pci"):
            _require_root_bus(qmp, path, kind)
        return
    if kind not in {known.value for known in DeviceKind}:
        raise _refused(f"{printable(kind[:40])}: the boot options of a machine with it are not computed")
    device = DeviceKind(kind)
    _require_root_bus(qmp, path, kind)
    if device is DeviceKind.VIRTIO_SCSI and not _has_usual_disk(qmp, path, devices):
        return
    if device is DeviceKind.NVME and _get(qmp, path, "drive") in {"", None}:
        raise _refused("nvme: its namespaces are devices of their own")
    address = _get(qmp, path, "addr")
    if not isinstance(address, int) or not 0 <= address < 1 << 8:
        raise TeekitError(f"QEMU says that {kind} is at the PCI address {address!r}")
    text = str(_get(qmp, path, _TEXTS[device])) if device in _TEXTS else ""
    yield BootDevice(device, address >> 3, address & 7, text)


def _require_root_bus(qmp: Monitor, path: str, kind: str) -> None:
    if _get(qmp, path, "parent_bus") != _ROOT_BUS:
        raise _refused(f"{kind}: it is not on the root bus of a q35 machine")
    if _get(qmp, path, "romfile"):
        raise _refused(f"{kind}: it has an option ROM, which the firmware may run")


def _has_usual_disk(qmp: Monitor, controller: str, devices: dict[str, str]) -> bool:
    disks = [
        path
        for path, kind in devices.items()
        if kind == _SCSI_DISK and str(_get(qmp, path, "parent_bus")).startswith(f"{controller}/")
    ]
    if len(disks) > 1 or any(
        _get(qmp, disk, name) != value for disk in disks for name, value in _USUAL_SCSI_DISK.items()
    ):
        raise _refused("virtio-scsi-pci: it has other disks than one at target 0 and LUN 0, under QEMU's name")
    return bool(disks)


def _refuse_others(qmp: Monitor, devices: dict[str, str]) -> None:
    """What is not on the command line: drives and cards that QEMU adds by default."""
    for drive in _rows(qmp.execute("query-block")):
        where = drive.get("qdev")
        if where is not None and not str(where).startswith((*devices, _FLASH)):
            raise _refused(f"the drive {printable(str(drive.get('device'))[:40])}: no -device names it")
    places = {_get(qmp, path, "addr") for path in devices if _get(qmp, path, "parent_bus") == _ROOT_BUS}
    for bus in _rows(qmp.execute("query-pci")):
        for row in _rows(bus.get("devices")):
            slot, function = row.get("slot"), row.get("function")
            if not isinstance(slot, int) or not isinstance(function, int):
                raise TeekitError("QEMU describes a PCI device without its place")
            if (slot, function) not in _BUILT_IN and slot << 3 | function not in places:
                raise _refused(f"the PCI device at 00:{slot:02x}.{function}: no -device names it")


def _get(qmp: Monitor, path: str, name: str) -> object:
    return qmp.execute("qom-get", path=path, property=name)


def _rows(answer: object) -> list[dict[str, object]]:
    if not isinstance(answer, list) or not all(isinstance(row, dict) for row in answer):
        raise TeekitError("QEMU's answer is not a list of objects")
    return answer


def _refused(problem: str) -> UnsupportedInputError:
    return UnsupportedInputError(problem, hint=_HINT)
