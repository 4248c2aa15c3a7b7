"""The boot options that OVMF makes: byte for byte those of real boots."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from teekit_verify.artifacts.firmware_volume import FirmwareVolume
from teekit_verify.core.errors import UnsupportedInputError
from teekit_verify.prediction.qemu_boot_options import BootDevice, DeviceKind, OvmfFiles, boot_options

ASSETS = Path(__file__).parents[2] / "assets" / "bootoptions"
FIRMWARE = [json.loads(path.read_text()) for path in sorted(ASSETS.glob("ovmf-*.json"))]
BOOTS = [pytest.param(row, boot, id=f"{row['edk2']}: {boot['machine']}") for row in FIRMWARE for boot in row["boots"]]
OLD = FIRMWARE[0]


def _files(row: dict[str, Any]) -> OvmfFiles:
    return OvmfFiles(UUID(row["volume"]), frozenset(map(UUID, row["files"])))


def _without(row: dict[str, Any], *names: str) -> OvmfFiles:
    files = _files(row)
    assert files.files >= {UUID(name) for name in names}
    return replace(files, files=files.files - {UUID(name) for name in names})


def _devices(boot: dict[str, Any]) -> list[BootDevice]:
    return [
        BootDevice(DeviceKind(device["kind"]), device["device"], text=device.get("text", ""))
        for device in boot["devices"]
    ]


def test_both_kinds_of_firmware_are_there() -> None:
    assert [row["edk2"] for row in FIRMWARE] == [202502, 202608]


@pytest.mark.parametrize(("row", "boot"), BOOTS)
def test_options_of_real_boots(row: dict[str, Any], boot: dict[str, Any]) -> None:
    found = boot_options(row["edk2"], _files(row), _devices(boot))
    order = struct.pack(f"<{len(found)}H", *range(len(found))).hex()
    assert [["BootOrder", order], *([option.name, option.data.hex()] for option in found)] == boot["variables"]


def test_what_the_firmware_lacks_is_no_option() -> None:
    shell, ui_app, http = (
        "7c04a583-9e3e-4f1c-ad65-e05268d0b4d1",
        "462caa21-7614-4503-836e-8ab6f4662331",
        "ecebcb00-d9c8-11e4-af3d-8cdcd426c973",
    )
    devices = [BootDevice(DeviceKind.VIRTIO_NET, 1, text="52:54:00:12:34:56")]
    everything = [option.data for option in boot_options(202502, _files(OLD), devices)]
    some = [option.data for option in boot_options(202502, _without(OLD, shell, ui_app, http), devices)]
    assert some == everything[1:3]


IP6 = "5bedb5cc-d830-4eb2-8742-2d4cc9b54f2c"


def test_network_without_ipv6() -> None:
    devices = [BootDevice(DeviceKind.VIRTIO_NET, 1, text="52:54:00:12:34:56")]
    names = [
        option.data[6:].decode("utf-16-le", "replace") for option in boot_options(202502, _without(OLD, IP6), devices)
    ]
    assert [name.split(" (")[0] for name in names if "MAC" in name] == ["UEFI PXEv4", "UEFI HTTPv4"]


@pytest.mark.parametrize(
    ("files", "devices", "message"),
    [
        (
            _without(OLD, "fab5d4f4-83c0-4aaf-8480-442d11df6cea"),
            [BootDevice(DeviceKind.VIRTIO_SCSI, 0x1F, 7)],
            "virtio-scsi-pci at 00:1f.7: this firmware has no driver for it",
        ),
        (
            replace(_files(OLD), files=frozenset([UUID("b5ae312c-bc8a-43b1-9c62-ebb826dd5d07")])),
            [],
            "it boots its built-in GRUB, not the disk",
        ),
        (_files(OLD), [BootDevice(DeviceKind.NVME, 1)], "nvme: the serial number '' is not of 1 to 20"),
        (_files(OLD), [BootDevice(DeviceKind.NVME, 1, text="a b\x1b")], r"nvme: the serial number 'a b\\x1b' is not"),
        (_files(OLD), [BootDevice(DeviceKind.VIRTIO_NET, 1, text="x")], "virtio-net-pci: not a MAC address: 'x'"),
        (_files(OLD), [BootDevice(DeviceKind.VIRTIO_BLK, 1)] * 257, "with 257 devices to boot from: at most 256"),
    ],
)
def test_what_is_refused(files: OvmfFiles, devices: list[BootDevice], message: str) -> None:
    with pytest.raises(UnsupportedInputError, match=message):
        boot_options(202502, files, devices)


def test_the_volume_of_the_boot_manager_counts() -> None:
    """OvmfPkg/IntelTdx/IntelTdxX64.fdf puts UiApp and more into FV.NCCFV, which a TD does not use."""
    bds, ui_app = UUID("6d33944a-ec75-4855-a54d-809c75241f6c"), UUID("462caa21-7614-4503-836e-8ab6f4662331")
    volumes = (FirmwareVolume(UUID(int=1), frozenset([ui_app])), FirmwareVolume(UUID(int=2), frozenset([bds])))
    assert OvmfFiles.of(volumes) == OvmfFiles(UUID(int=2), frozenset([bds]))
    assert boot_options(202605, OvmfFiles.of(volumes), []) == ()
    assert not OvmfFiles.of(volumes).has_secure_boot
    with pytest.raises(UnsupportedInputError, match="no volume has edk2's boot manager"):
        OvmfFiles.of(volumes[:1])
