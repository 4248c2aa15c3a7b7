"""The proof that predictions of direct boots are right: the built image's kernel, started by OVMF from QEMU's -kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from builders.machines import MEMORY_BYTES, RealMachine
from teekit_verify.artifacts.uki import open_uki
from teekit_verify.boot.capture import is_complete
from teekit_verify.boot.qemu import find_firmware
from teekit_verify.prediction.direct_kernel import DirectBoot, predict_direct_boot
from teekit_verify.prediction.edk2 import Edk2
from teekit_verify.registers.align import first_divergence
from teekit_verify.registers.registers import pcr

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

INITRD_BYTES = 5000
CMDLINE = "console=ttyS0 panic=0"


def test_what_firmware_and_kernel_measure_is_predicted(built_uki: Path, tmp_path: Path) -> None:
    disk, kernel, initrd = tmp_path / "disk.raw", tmp_path / "kernel", tmp_path / "initrd"
    disk.write_bytes(bytes(1 << 20))
    initrd.write_bytes(b"x" * INITRD_BYTES)  # nothing the kernel could unpack: boot services ended long before it tries
    with open_uki(built_uki) as uki:
        (section,) = uki.named(".linux")
        kernel.write_bytes(uki.content(section))
    boot = DirectBoot(kernel.read_bytes(), CMDLINE, initrd.read_bytes(), MEMORY_BYTES)
    more = ("-kernel", str(kernel), "-initrd", str(initrd), "-append", CMDLINE)
    with RealMachine(find_firmware(), disk, more).prepared() as prepared:
        log = prepared.boot(is_complete, timeout_seconds=1800)
    predictions = {item.register: item for item in predict_direct_boot(boot, Edk2(202502), vtpm=True)}
    for register in (pcr(4), pcr(9)):
        for bank in register.algorithms:
            assert first_divergence(predictions[register].events, log.events, register, bank) is None
