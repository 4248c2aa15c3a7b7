"""The machine an image runs on here: q35 with OVMF, one virtio disk, one network card behind QEMU's user network, a TPM where swtpm is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.boot.qemu import value

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.boot.qemu import Firmware

KETTLE_PORT = 3001
"""Of the first kettle (teekit_guest/layout.py); the next ones follow."""
MOST_KETTLES = 16
ATTESTATION_PORT = 3000
HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class LocalMachine:
    """`control` is QEMU's QMP socket, `console` a Unix socket with the guest's serial port, `console_log` a file with all it printed.

    `forwards` are pairs of a port on this host's loopback and a port of the guest. `firmware.variables` is written to.
    `tpm` is the control socket of a running swtpm.
    """

    accelerator: str
    processors: int
    memory_bytes: int
    firmware: Firmware
    disk: Path
    control: Path
    console: Path
    console_log: Path
    forwards: tuple[tuple[int, int], ...]
    tpm: Path | None = None

    def argv(self, program: str) -> tuple[str, ...]:
        """The QEMU command line."""
        flash = "if=pflash,format=raw"
        log = f"logfile={value(self.console_log)}"
        forwards = "".join(f",hostfwd=tcp:127.0.0.1:{host}-:{guest}" for host, guest in self.forwards)
        return (
            program,
            *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
            *("-machine", "q35", "-accel", self.accelerator, "-cpu", "max"),
            *("-smp", str(self.processors), "-m", f"{self.memory_bytes}B"),
            *("-drive", f"{flash},readonly=on,file={value(self.firmware.code)}"),
            *("-drive", f"{flash},file={value(self.firmware.variables)}"),
            *("-drive", f"if=none,id=disk,format=raw,snapshot=on,file={value(self.disk)}"),
            *("-device", "virtio-blk-pci,drive=disk,bootindex=0"),
            # Without the card's boot ROM, the firmware does not try to boot from the network.
            *("-netdev", f"user,id=network{forwards}", "-device", "virtio-net-pci,netdev=network,romfile="),
            *("-chardev", f"socket,id=console,path={value(self.console)},server=on,wait=off,{log}"),
            *("-serial", "chardev:console"),
            *("-qmp", f"unix:{value(self.control)},server=on,wait=off"),
            *(() if self.tpm is None else _tpm(self.tpm)),
        )


def _tpm(control: Path) -> tuple[str, ...]:
    return (
        *("-chardev", f"socket,id=tpm-control,path={value(control)}"),
        *("-tpmdev", "emulator,id=tpm,chardev=tpm-control", "-device", "tpm-crb,tpmdev=tpm"),
    )
