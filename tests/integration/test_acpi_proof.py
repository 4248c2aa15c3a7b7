"""The proof that generated ACPI tables are right: OVMF boots on machines with the same arguments, and measures these bytes."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from builders.debian import OVMF_TRIXIE, fetch_known_or_current
from builders.machines import RealMachine
from builders.tools import require
from teekit_verify.boot import acpi, qemu
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.measurement.events import EventType

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.evidence.eventlog import EventLog

pytestmark = pytest.mark.slow

DISK_BYTES = 1 << 20
BOOT_SECONDS = 60
MACHINES = {
    "one disk": (),
    "more CPUs": ("-smp", "4", "-device", "virtio-rng-pci", "-device", "virtio-net-pci"),
    "as TDX has it": ("-M", "q35,memory-backend=ram,pic=off,smm=off,hpet=off", "-device", "virtio-serial-pci"),
    "64-bit BARs of other sizes": (
        *("-object", "memory-backend-ram,id=shared,size=64M,share=on", "-device", "ivshmem-plain,memdev=shared"),
        *("-device", "virtio-scsi-pci"),
    ),
}


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> qemu.Firmware:
    """Debian 13's: the first OVMF in a Debian release that measures ACPI tables."""
    folder = tmp_path_factory.mktemp("ovmf")
    deb, _ = fetch_known_or_current(OVMF_TRIXIE, "trixie", folder)
    subprocess.run([require("dpkg-deb"), "-x", deb, folder], check=True)
    return qemu.find_firmware((folder / "usr/share/OVMF",))


@pytest.mark.parametrize("name", MACHINES)
def test_the_firmware_measures_the_generated_tables(name: str, firmware: qemu.Firmware, tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(DISK_BYTES))
    machine = RealMachine(firmware, disk, MACHINES[name])
    with machine.prepared() as prepared:
        view = acpi.generate(prepared.arguments)
    with machine.prepared() as prepared:
        log = prepared.boot(_has_boot_variables, timeout_seconds=BOOT_SECONDS)
    measured = [event.digest(Algorithm.SHA384) for event in log.events if event.data == b"ACPI DATA"]
    assert [blob for blob, _ in view.acpi] == ["etc/table-loader", "etc/acpi/rsdp", "etc/tpm/log", "etc/acpi/tables"]
    assert [Digest.of(Algorithm.SHA384, data) for _, data in view.acpi] == measured


def _has_boot_variables(log: EventLog) -> bool:
    """They come after the ACPI tables."""
    return any(event.event_type == EventType.EV_EFI_VARIABLE_BOOT for event in log.events)
