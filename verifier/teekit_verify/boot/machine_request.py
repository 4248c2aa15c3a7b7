"""On which machine a guest is to be measured: what the options of `measure` mean together."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.documents.model import Measurements
    from teekit_verify.prediction.machines import Machines, QemuMachine
    from teekit_verify.prediction.platforms import Platform
    from teekit_verify.prediction.qemu_rtmr0 import MachineTables


@frozen
class MachineRequest:
    """In the words of a command line; None is what was not said. `memory` is a size as QEMU takes it, `qemu` its other arguments."""

    machine: Sequence[str] = ()
    firmware: Path | None = None
    disks: int | None = None
    memory: str | None = None
    cpus: int | None = None
    edk2: str | None = None
    qemu: str | None = None

    @property
    def any(self) -> bool:
        """Whether any was given."""
        values = (self.firmware, self.disks, self.memory, self.cpus, self.edk2, self.qemu)
        return bool(self.machine) or any(value is not None for value in values)

    def machines(self, platforms: Sequence[Platform]) -> Machines | None:
        """None if no machine is described. Raises TeekitError for what does not go together."""
        if not self.any:
            return None
        from teekit_verify.prediction.edk2 import Edk2
        from teekit_verify.prediction.machines import gcp_machines, parse_memory
        from teekit_verify.prediction.platforms.qemu import QEMU

        of_qemu = any(value is not None for value in (self.memory, self.cpus, self.edk2, self.qemu))
        if self.machine and not of_qemu:
            return gcp_machines(platforms, self.machine, firmware=self.firmware, disks=self.disks)
        if self.firmware is not None and self.disks is None and not self.machine and tuple(platforms) == (QEMU,):
            return self._qemu(self.firmware)
        if self.memory is not None:
            parse_memory(self.memory)  # what is mistyped is named before what is missing
        if self.edk2 is not None:
            Edk2.parse(self.edk2)
        if of_qemu or self.firmware is not None or self.disks is not None:
            raise TeekitError(
                "these options do not describe a machine together",
                hint="Give --machine with --firmware or --disks for Google Cloud, or --platform qemu --firmware with "
                "--memory, --edk2, --cpus and --qemu.",
            )
        return None

    def measure_kernel(self, kernel: Path, initrd: Path | None, cmdline: str | None) -> Measurements:
        """A direct boot on a machine without disks. Raises TeekitError without the release of edk2."""
        from teekit_verify.prediction.edk2 import Edk2
        from teekit_verify.prediction.kernel import DirectKernel, measure_kernel
        from teekit_verify.prediction.machines import parse_memory

        memory_bytes = None if self.memory is None else parse_memory(self.memory)
        if self.edk2 is None or self.machine or self.disks is not None:
            raise TeekitError(
                "a kernel is started by QEMU's firmware, without disks", hint="Give --edk2 with --direct-kernel."
            )
        if self.firmware is None and (self.qemu is not None or self.cpus is not None):
            raise TeekitError("RTMR0 depends on the firmware too", hint="Give --firmware with --qemu and --cpus.")
        machine = None if self.firmware is None else replace(self._qemu(self.firmware), has_disks=False)
        return measure_kernel(DirectKernel(kernel, Edk2.parse(self.edk2), cmdline or "", initrd, memory_bytes), machine)

    def _qemu(self, firmware: Path) -> QemuMachine:
        from teekit_verify.prediction.edk2 import Edk2
        from teekit_verify.prediction.machines import QemuMachine, parse_memory

        if (self.qemu is not None and self.memory is None) or (self.cpus is not None and self.qemu is None):
            raise TeekitError("ACPI tables depend on the whole machine", hint="Give --qemu, --memory and --cpus.")
        memory_bytes = None if self.memory is None else parse_memory(self.memory)
        edk2 = None if self.edk2 is None else Edk2.parse(self.edk2)
        tables = None if memory_bytes is None or self.qemu is None else self._tables(memory_bytes, self.qemu)
        return QemuMachine(firmware, memory_bytes, edk2, tables)

    def _tables(self, memory_bytes: int, arguments: str) -> MachineTables:
        from teekit_verify.boot.acpi import generate
        from teekit_verify.boot.qemu import version

        size = ("-m", f"{memory_bytes}B", "-smp", str(self.cpus or 1))
        return generate((*shlex.split(arguments), *size)).measured(version())
