"""The machine an artifact is booted on: q35 with OVMF, a TPM, one virtio disk, no network, no display."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from teekit_verify.core import process
from teekit_verify.core.errors import ToolMissingError

PROGRAM = "qemu-system-x86_64"
HINT = "Install qemu-system-x86, ovmf, swtpm, swtpm-tools, mtools and fdisk, or run `teekit-verify doctor`."

_GIB = 1 << 30
_VERSION_SECONDS = 60
_KVM = Path("/dev/kvm")
_FIRMWARE_FOLDERS = (Path("/usr/share/OVMF"),)  # Debian 12 and 13, package ovmf
_CODE, _VARIABLES = "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"


@dataclass(frozen=True, slots=True)
class Firmware:
    """OVMF as two flash images: code (read-only) and an empty variable store, which a boot gets a copy of."""

    code: Path
    variables: Path


@dataclass(frozen=True, slots=True)
class Machine:
    """Everything a QEMU command line depends on. `memory_file` becomes the guest's memory, `disk` stays unchanged."""

    accelerator: str
    memory_bytes: int
    firmware: Firmware
    disk: Path
    memory_file: Path
    serial_log: Path
    qmp_socket: Path
    tpm_socket: Path


def argv(program: str, machine: Machine) -> tuple[str, ...]:
    """The QEMU command line. `machine.firmware.variables` is written to."""
    memory = f"memory-backend-file,id=ram,share=on,size={machine.memory_bytes},mem-path={value(machine.memory_file)}"
    flash = "if=pflash,format=raw"
    return (
        program,
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        *("-accel", machine.accelerator, "-cpu", "max", "-smp", "1"),
        *("-machine", "q35,memory-backend=ram", "-m", f"{machine.memory_bytes}B", "-object", memory),
        *("-drive", f"{flash},readonly=on,file={value(machine.firmware.code)}"),
        *("-drive", f"{flash},file={value(machine.firmware.variables)}"),
        *("-drive", f"if=virtio,format=raw,snapshot=on,file={value(machine.disk)}"),
        *("-chardev", f"socket,id=tpm,path={value(machine.tpm_socket)}"),
        *("-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"),
        *("-chardev", f"file,id=serial,path={value(machine.serial_log)}", "-serial", "chardev:serial"),
        *("-qmp", f"unix:{value(machine.qmp_socket)},server=on,wait=off"),
    )


def value(path: Path) -> str:
    """A path in QEMU's options, where a comma in a value is written twice (qemu(1), -drive)."""
    return str(path).replace(",", ",,")


def memory_for(uki_bytes: int) -> int:
    """Guest memory in bytes, a multiple of 1 GiB and at least 2: the UKI is there as a file, loaded, and unpacked."""
    return max(2, 1 + -(-6 * uki_bytes // _GIB)) * _GIB


def find_firmware(folders: tuple[Path, ...] = _FIRMWARE_FOLDERS) -> Firmware:
    """Debian's OVMF. Raises ToolMissingError."""
    for folder in folders:
        firmware = Firmware(folder / _CODE, folder / _VARIABLES)
        if firmware.code.is_file() and firmware.variables.is_file():
            return firmware
    looked = ", ".join(str(folder) for folder in folders)
    raise ToolMissingError(f"OVMF ({_CODE} and {_VARIABLES}) is not installed in {looked}", hint=HINT)


def version() -> str:
    """Of the installed QEMU, as it says it: `7.2.22`. Raises ToolMissingError, ToolFailedError."""
    program = process.find_program(PROGRAM, hint=HINT)
    words = (
        process.run([program, "--version"], timeout_seconds=_VERSION_SECONDS).stdout.decode("utf-8", "replace").split()
    )
    return words[3] if len(words) > 3 else "of an unknown version"  # noqa: PLR2004 - QEMU emulator version 7.2.22 (...)


def accelerators(kvm: Path = _KVM) -> tuple[str, ...]:
    """What to try, in this order. That /dev/kvm opens proves little: only a boot that runs does."""
    return ("kvm", "tcg") if os.access(kvm, os.R_OK | os.W_OK) else ("tcg",)
