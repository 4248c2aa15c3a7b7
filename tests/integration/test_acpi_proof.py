"""The proof that generated ACPI tables and boot options are right: OVMF boots on machines with the same arguments, and
measures these bytes.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from builders import planted
from builders.debian import OVMF_TRIXIE, fetch_known_or_current
from builders.machines import RealMachine
from builders.tools import require
from teekit_verify.artifacts.firmware_volume import read_volumes
from teekit_verify.boot import acpi, qemu
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.prediction.qemu_boot_options import OvmfFiles, boot_options
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import pcr

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.evidence.eventlog import EventLog

pytestmark = pytest.mark.slow

DISK_BYTES = 1 << 20
BOOT_SECONDS = 600
TCG = acpi.OvmfSetup(mmio64_base=0xC000000000)
"""QEMU's `-cpu max` without KVM: an AMD processor with 40 address bits, of which QEMU reserves the end."""
MACHINES = {
    "one disk": (),
    "more CPUs": ("-smp", "4", "-device", "virtio-rng-pci", "-device", "virtio-net-pci,romfile="),
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
        view = acpi.generate(prepared.arguments, TCG)
    with machine.prepared() as prepared:
        log = prepared.boot(_has_all_boot_variables, timeout_seconds=BOOT_SECONDS)
    measured = [event.digest(Algorithm.SHA384) for event in log.events if event.data == b"ACPI DATA"]
    assert [blob for blob, _ in view.acpi] == ["etc/table-loader", "etc/acpi/rsdp", "etc/tpm/log", "etc/acpi/tables"]
    assert [Digest.of(Algorithm.SHA384, data) for _, data in view.acpi] == measured

    assert not isinstance(view.devices, str)
    files = OvmfFiles.of(read_volumes(memoryview(firmware.code.read_bytes())))
    predicted = boot_options(202502, files, view.devices)
    options = [event.data for event in log.events if event.event_type == EventType.EV_EFI_VARIABLE_BOOT]
    assert options[1:] == [option.event_data() for option in predicted]
    assert len(options) > 3  # setup, disk, shell, and the order of them


def test_what_a_host_changes_in_the_tables_is_measured(firmware: qemu.Firmware, tmp_path: Path) -> None:
    """Another DSDT and one more SSDT (AML, which the kernel would run): given by files, in place of QEMU's own tables."""
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(DISK_BYTES))
    with RealMachine(firmware, disk).prepared() as prepared:
        honest = dict(acpi.generate(prepared.arguments, TCG).acpi)
    with RealMachine(firmware, disk, planted.program_in_acpi(tmp_path)).prepared() as prepared:
        given = dict(acpi.generate(prepared.arguments, TCG).acpi)
    assert all(word in given["etc/acpi/tables"] for word in (b"PLANTED", b"_S5_"))
    # The DSDT with another name in it; its checksum is the firmware's to compute.
    given["etc/acpi/tables"] = given["etc/acpi/tables"].replace(b"_S5_", b"HOST")
    words = ["-machine", "acpi=off"]
    for name, content in given.items():
        (tmp_path / name.replace("/", "-")).write_bytes(content)
        words += ["-fw_cfg", f"name={name},file={tmp_path / name.replace('/', '-')}"]
    with RealMachine(firmware, disk, tuple(words)).prepared() as prepared:
        log = prepared.boot(_has_all_boot_variables, timeout_seconds=BOOT_SECONDS)
    events = [event for event in log.events if event.data == b"ACPI DATA"]
    # In a TD that is RTMR0 (UEFI 2.10, 38.4.1).
    assert {event.register for event in events} == {pcr(1)}
    measured = [event.digest(Algorithm.SHA384) for event in events]
    assert [Digest.of(Algorithm.SHA384, content) for content in given.values()] == measured
    moved = {name for name, content in honest.items() if content != given[name]}
    assert moved == {"etc/table-loader", "etc/acpi/rsdp", "etc/acpi/tables"}


def _has_all_boot_variables(log: EventLog) -> bool:
    """They come after the ACPI tables, and before the boot."""
    kinds = [event.event_type for event in log.events]
    return EventType.EV_EFI_VARIABLE_BOOT in kinds and EventType.EV_EFI_ACTION in kinds
