"""The proof that generated ACPI tables are right: OVMF boots on machines with the same arguments, and measures these bytes."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders.tools import require
from teekit_verify.boot import acpi, qemu
from teekit_verify.boot.memory import find_logs
from teekit_verify.boot.swtpm import running_tpm
from teekit_verify.cli.options import SNAPSHOT_ARCHIVE, cache_directory
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download import DownloadStore, RemoteFile
from teekit_verify.core.process import end_group, start
from teekit_verify.measurement.events import EventType
from teekit_verify.rebuild import archive

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

PACKAGE = "debian/pool/main/e/edk2/ovmf_2025.02-8+deb13u1_all.deb"
"""Debian 13's: the first OVMF in a Debian release that measures ACPI tables."""
PACKAGE_SHA256 = "78e0d54df11fc77406cb7a0bc9a39e5bca6d1cbe06556b91d9a73491c52decdf"
SNAPSHOT = "20260101T000000Z"
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
    folder = tmp_path_factory.mktemp("ovmf")
    bases = archive.sources(os.environ.get("TEEKIT_DEBIAN_MIRROR"), SNAPSHOT_ARCHIVE, SNAPSHOT)
    urls = tuple(f"{base}/{PACKAGE.removeprefix('debian/')}" for name, base in bases if name == "debian")
    file = RemoteFile("ovmf", 5_779_964, Digest.from_hex(Algorithm.SHA256, PACKAGE_SHA256), urls)
    store = DownloadStore(cache_directory() / "downloads")
    store.fetch([file])
    subprocess.run([require("dpkg-deb"), "-x", store.path(file.digest), folder], check=True)
    return qemu.find_firmware((folder / "usr/share/OVMF",))


class _Machine:
    """A machine's command line without program, in a folder that is removed with its TPM in the end."""

    def __init__(self, firmware: qemu.Firmware, disk: Path, more: tuple[str, ...]) -> None:
        self.firmware, self.disk, self.more = firmware, disk, more

    @contextlib.contextmanager
    def arguments(self) -> Iterator[tuple[Path, tuple[str, ...]]]:
        """The folder, in which `memory` becomes the guest's memory, and the arguments without accelerator."""
        with (
            tempfile.TemporaryDirectory(prefix="teekit-") as name,
            running_tpm(Path(name), log=Path(name, "log")) as tpm,
        ):
            folder = Path(name)
            variables = folder / "variables.fd"
            shutil.copyfile(self.firmware.variables, variables)
            machine = qemu.Machine(
                accelerator="tcg",
                memory_bytes=2 << 30,
                firmware=qemu.Firmware(self.firmware.code, variables),
                disk=self.disk,
                memory_file=folder / "memory",
                serial_log=folder / "serial",
                qmp_socket=folder / "qmp.sock",
                tpm_socket=tpm.control,
            )
            words = qemu.argv("", machine)[1:]
            at = words.index("-accel")
            yield folder, (*words[:at], *words[at + 2 :], *self.more)


def _measured_tables(folder: Path, arguments: tuple[str, ...]) -> list[Digest]:
    """The digests of the "ACPI DATA" events of a real boot, as soon as its log has the boot variables, which come later."""
    process = start((require("qemu-system-x86_64"), *arguments, "-accel", "tcg"), log=folder / "qemu")
    try:
        deadline = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.5)
            logs = find_logs(folder / "memory") if (folder / "memory").exists() else ()
            if logs and any(event.event_type == EventType.EV_EFI_VARIABLE_BOOT for event in logs[0].log.events):
                return [event.digest(Algorithm.SHA384) for event in logs[0].log.events if event.data == b"ACPI DATA"]
    finally:
        end_group(process)
    pytest.fail(f"the firmware did not come to the boot variables: {(folder / 'qemu').read_text()}")


@pytest.mark.parametrize("name", MACHINES)
def test_the_firmware_measures_the_generated_tables(name: str, firmware: qemu.Firmware, tmp_path: Path) -> None:
    disk = tmp_path / "disk.raw"
    disk.write_bytes(bytes(DISK_BYTES))
    machine = _Machine(firmware, disk, MACHINES[name])
    with machine.arguments() as (_, arguments):
        view = acpi.generate(arguments)
    with machine.arguments() as (folder, arguments):
        measured = _measured_tables(folder, arguments)
    assert [blob for blob, _ in view.acpi] == ["etc/table-loader", "etc/acpi/rsdp", "etc/tpm/log", "etc/acpi/tables"]
    assert [Digest.of(Algorithm.SHA384, data) for _, data in view.acpi] == measured
