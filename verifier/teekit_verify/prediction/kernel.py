"""A kernel that QEMU starts without a disk (-kernel, -initrd, -append), as a measurements document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify import __version__
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.files import read_bounded
from teekit_verify.documents import model
from teekit_verify.documents.register_values import register_value
from teekit_verify.prediction.direct_kernel import DirectBoot, predict_direct_boot
from teekit_verify.prediction.machines import one_of
from teekit_verify.prediction.platforms.qemu import QEMU, UEFI_VTPM
from teekit_verify.registers.registers import MRTD, Register, pcr, rtmr

if TYPE_CHECKING:
    from pathlib import Path

    from teekit_verify.prediction.edk2 import Edk2
    from teekit_verify.prediction.machines import QemuMachine
    from teekit_verify.prediction.uki import Prediction

MAX_KERNEL_BYTES = 1 << 28
MAX_INITRD_BYTES = 1 << 30
NO_STUB = "none: direct kernel boot"
"""What stands in the document for the version of a stub."""
_HOLD_KERNEL = (pcr(4), rtmr(1))
_UNCHANGED = "the kernel as its file has it (QEMU from 10.1 on)"


@dataclass(frozen=True, slots=True)
class DirectKernel:
    """What QEMU gets, and the firmware that starts it. Older QEMU writes into the kernel's header for `memory_bytes`."""

    kernel: Path
    edk2: Edk2
    cmdline: str = ""
    initrd: Path | None = None
    memory_bytes: int | None = None


def measure_kernel(direct: DirectKernel, machine: QemuMachine | None = None) -> model.Measurements:
    """RTMRs of a TDX guest without vTPM, PCR 4 and 9 of a guest with a TPM only; MRTD and RTMR0 as `machine` has them.

    Raises TeekitError for files that cannot be read, and for a kernel that QEMU would not start so or that is not known.
    """
    kernel = read_bounded(direct.kernel, MAX_KERNEL_BYTES, "a kernel that QEMU starts")
    initrd = None if direct.initrd is None else read_bounded(direct.initrd, MAX_INITRD_BYTES, "an initrd")
    found = _registers(direct, kernel, initrd)
    missing = "is decided by firmware and machine: give --firmware, --memory and --qemu"
    of_machine = {register: model.RegisterValue(None, f"{register} {missing}", ()) for register in (MRTD, rtmr(0))}
    if machine is not None:
        ((_, of_machine),) = machine.registers(found)
    zero = register_value(rtmr(3), ())
    return model.Measurements(
        schema=model.MEASUREMENTS_SCHEMA,
        tool_version=__version__,
        artifact=model.Artifact(direct.kernel.name, len(kernel), Digest.of(Algorithm.SHA256, kernel)),
        stub_version=NO_STUB,
        platforms={
            QEMU.name: {**of_machine, rtmr(1): found[rtmr(1)], rtmr(2): found[rtmr(2)], rtmr(3): zero},
            UEFI_VTPM.name: {pcr(4): found[pcr(4)], pcr(9): found[pcr(9)]},
        },
    )


def _registers(direct: DirectKernel, kernel: bytes, initrd: bytes | None) -> dict[Register, model.RegisterValue]:
    """With both ways in which QEMU hands over the kernel, where they make a difference."""
    unchanged = _predicted(DirectBoot(kernel, direct.cmdline, initrd), direct.edk2)
    patched = None
    if direct.memory_bytes is not None:
        patched = _predicted(DirectBoot(kernel, direct.cmdline, initrd, direct.memory_bytes), direct.edk2)
    return {
        register: _alternatives(value, direct, None if patched is None else patched[register])
        if register in _HOLD_KERNEL
        else value
        for register, value in unchanged.items()
    }


def _alternatives(
    unchanged: model.RegisterValue, direct: DirectKernel, patched: model.RegisterValue | None
) -> model.RegisterValue:
    label = "the kernel with its header as older QEMU writes it"
    if direct.memory_bytes is not None:
        label += f" for {direct.memory_bytes >> 20} MiB of memory"
    other = patched or model.RegisterValue(None, "depends on the guest's memory: give --memory", ())
    values = (model.AcceptableValue(_UNCHANGED, unchanged), model.AcceptableValue(label, other))
    return one_of(values, "the version of QEMU")


def _predicted(boot: DirectBoot, edk2: Edk2) -> dict[Register, model.RegisterValue]:
    return {prediction.register: _value(prediction) for prediction in predict_direct_boot(boot, edk2)}


def _value(prediction: Prediction) -> model.RegisterValue:
    return register_value(prediction.register, prediction.events, missing="; ".join(prediction.missing))
