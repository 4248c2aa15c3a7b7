"""What can be booted from, as QEMU tells it: answers of a stand-in, and of QEMU itself."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from builders.tools import require
from teekit_verify.boot import acpi
from teekit_verify.boot.devices import boot_devices
from teekit_verify.core.errors import TeekitError, UnsupportedInputError
from teekit_verify.prediction.qemu_boot_options import BootDevice, DeviceKind

ROOT = {"parent_bus": "/machine/q35/pcie.0", "romfile": ""}
BUILT_IN = [{"slot": slot, "function": number} for slot, number in ((0, 0), (31, 0), (31, 2), (31, 3))]


@dataclass
class StandIn:
    """QEMU with these devices, by id: their type and properties."""

    devices: dict[str, tuple[str, dict[str, object]]] = field(default_factory=dict)
    drives: object = field(default_factory=list)
    functions: list[dict[str, object]] = field(default_factory=list)

    def execute(self, command: str, **arguments: object) -> object:
        path = str(arguments.get("path", ""))
        if command == "qom-list":
            named = [{"name": name, "type": f"child<{kind}>"} for name, (kind, _) in self.devices.items()]
            return [{"name": "type", "type": "string"}, *named] if path.endswith("peripheral") else []
        if command == "qom-get":
            return self.devices[path.rpartition("/")[2]][1].get(str(arguments["property"]))
        if command == "query-block":
            return self.drives
        assert command == "query-pci"
        return [{"bus": 0, "devices": [*BUILT_IN, *self.functions]}]


def _machine(kind: str, address: object = 8, **properties: object) -> StandIn:
    return StandIn({"d": (kind, {**ROOT, "addr": address, "drive": "x", **properties})})


def test_places_come_from_device_and_function() -> None:
    assert boot_devices(_machine("virtio-blk-pci", 0x1F << 3 | 7)) == (BootDevice(DeviceKind.VIRTIO_BLK, 0x1F, 7),)
    assert boot_devices(_machine("nvme", serial="s")) == (BootDevice(DeviceKind.NVME, 1, 0, "s"),)


def _scsi(**properties: object) -> StandIn:
    usual = {
        "channel": 0,
        "scsi-id": 0,
        "lun": 0,
        "vendor": "QEMU",
        "product": "QEMU HARDDISK",
        "removable": False,
        "parent_bus": "/machine/peripheral/d/virtio-backend/scsi.0",
    }
    machine = _machine("virtio-scsi-pci")
    machine.devices["disk"] = ("scsi-hd", {**usual, **properties})
    return machine


def test_a_scsi_controller_counts_with_its_disk() -> None:
    assert boot_devices(_scsi()) == (BootDevice(DeviceKind.VIRTIO_SCSI, 1),)
    assert boot_devices(_machine("virtio-scsi-pci")) == ()


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (_machine("usb-storage"), "usb-storage: the boot options of a machine with it are not computed"),
        (_machine("e1000"), "e1000: the boot options of a machine with it are not computed"),
        (
            _machine("virtio-blk-pci", parent_bus="/machine/peripheral/bridge/r"),
            "virtio-blk-pci: it is not on the root",
        ),
        (
            _machine("virtio-rng-pci", romfile="x.rom"),
            "virtio-rng-pci: it has an option ROM, which the firmware may run",
        ),
        (_machine("nvme", drive=""), "nvme: its namespaces are devices of their own"),
        (_scsi(lun=1), "virtio-scsi-pci: it has other disks than one at target 0 and LUN 0"),
        (StandIn(drives=[{"device": "ide2-cd0", "qdev": "/machine/unattached/device[9]"}]), "the drive ide2-cd0"),
        (StandIn(functions=[{"slot": 1, "function": 0}]), "the PCI device at 00:01.0: no -device names it"),
    ],
)
def test_what_is_not_covered(machine: StandIn, message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=message) as caught:
        boot_devices(machine)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("Describe a machine with -nodefaults")


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (_machine("virtio-blk-pci", 256), "QEMU says that virtio-blk-pci is at the PCI address 256"),
        (StandIn(drives={"return": 1}), "QEMU's answer is not a list of objects"),
        (StandIn(functions=[{"slot": "1"}]), "QEMU describes a PCI device without its place"),
    ],
)
def test_answers_that_make_no_sense(machine: StandIn, message: str) -> None:
    with pytest.raises(TeekitError, match=message):
        boot_devices(machine)


def test_qemu_lists_its_own() -> None:
    require("qemu-system-x86_64")
    drive = "if=none,format=raw,file=null-co://,id="
    arguments = (
        *("-nodefaults", "-display", "none", "-M", "q35", "-m", "64M", "-device", "virtio-rng-pci,addr=9"),
        *("-drive", drive + "a", "-device", "virtio-blk-pci,drive=a,addr=4.0,multifunction=on"),
        *("-drive", drive + "b", "-device", "nvme,drive=b,addr=4.1,serial=one"),
        *("-drive", drive + "c", "-device", "virtio-scsi-pci,addr=3,id=s", "-device", "scsi-hd,drive=c"),
        *("-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,romfile=,mac=02:00:00:00:00:07,addr=2"),
    )
    devices = acpi.generate(arguments).devices
    assert not isinstance(devices, str)
    assert set(devices) == {
        BootDevice(DeviceKind.VIRTIO_BLK, 4, 0),
        BootDevice(DeviceKind.NVME, 4, 1, "one"),
        BootDevice(DeviceKind.VIRTIO_SCSI, 3),
        BootDevice(DeviceKind.VIRTIO_NET, 2, 0, "02:00:00:00:00:07"),
    }
