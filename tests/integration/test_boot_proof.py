"""The proof that predictions are right: the image that was built boots under OVMF with a software TPM, and what the
firmware, the stub and the kernel measured is, digest by digest, what was predicted from the file."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from builders.tools import require
from teekit_verify.artifacts.uki import open_uki
from teekit_verify.boot.artifact import Bootable, bootable
from teekit_verify.boot.capture import BootCapture, BootOptions, boot_and_capture
from teekit_verify.boot.proof import PROVEN, compare
from teekit_verify.boot.qemu import find_firmware, memory_for
from teekit_verify.core.digest import Algorithm
from teekit_verify.core.outcome import ExitStatus, Outcome
from teekit_verify.prediction.uki import predict_uki
from teekit_verify.report.progress import StderrProgress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from teekit_verify.prediction.uki import Prediction

pytestmark = pytest.mark.slow

BANKS = (Algorithm.SHA256, Algorithm.SHA384)
USER_SPACE = "teekit: minimal.target reached"


@dataclass(frozen=True)
class RealBoot:
    booted: Bootable
    capture: BootCapture


@pytest.fixture(scope="module")
def real_boot(built_uki: Path) -> Iterator[RealBoot]:
    for program in ("qemu-system-x86_64", "swtpm", "swtpm_setup", "sfdisk", "mformat", "mcopy"):
        require(program)
    find_firmware()
    options = BootOptions(memory_bytes=memory_for(built_uki.stat().st_size), serial_line=USER_SPACE)
    with bootable(built_uki) as booted:
        yield RealBoot(booted, boot_and_capture(booted.disk, options, StderrProgress()))


def _predict(uki: Path, real_boot: RealBoot) -> tuple[Prediction, ...]:
    with open_uki(uki) as opened:
        return predict_uki(opened, real_boot.booted.gpt, vtpm=True)


def test_every_predicted_event_is_the_one_that_was_measured(real_boot: RealBoot) -> None:
    predictions = {item.register: item for item in _predict(real_boot.booted.uki, real_boot)}
    for register in PROVEN:
        logged = [event for event in real_boot.capture.log.events if event.register == register]
        predicted = predictions[register].events
        assert [event.event_type for event in predicted] == [event.event_type for event in logged]
        for bank in BANKS:
            assert [event.digest(bank).hex for event in predicted] == [event.digest(bank).hex for event in logged]
            # the TPM was asked in user space: nothing there extends these registers either
            assert predictions[register].value(bank) == real_boot.capture.pcrs[bank][register]
    counts = {str(register): len(predictions[register].events) for register in PROVEN}
    assert counts["PCR4"] == 4
    assert counts["PCR5"] == 4
    assert counts["PCR9"] == 2
    assert counts["PCR11"] >= 10


def test_the_proof_holds(real_boot: RealBoot) -> None:
    proof = compare(_predict(real_boot.booted.uki, real_boot), real_boot.capture)
    assert proof.status is ExitStatus.HOLDS


def test_one_changed_byte_of_the_command_line_is_found_and_named(real_boot: RealBoot, tmp_path: Path) -> None:
    changed = tmp_path / "changed.efi"
    shutil.copyfile(real_boot.booted.uki, changed)
    with open_uki(changed) as opened:
        offset = opened.named(".cmdline")[0].content.start
    with changed.open("r+b") as stream:
        stream.seek(offset)
        first = stream.read(1)
        stream.seek(offset)
        stream.write(bytes([first[0] ^ 0x20]))

    proof = compare(_predict(changed, real_boot), real_boot.capture)

    assert proof.status is ExitStatus.DOES_NOT_HOLD
    wrong = [
        (str(row.register), row.position, row.cause)
        for row in proof.events
        if [check.outcome for check in row.checks] == [Outcome.MISMATCH, Outcome.MISMATCH]
    ]
    assert [(register, cause) for register, _, cause in wrong] == [
        ("PCR4", "UKI"),
        ("PCR9", "UKI section .cmdline"),
        ("PCR11", "UKI section .cmdline"),
    ]
    named = [words for words in proof.divergences if words.startswith("PCR9 event 1: digest differs")]
    assert len(named) == 2
    assert all(words.endswith("look at: UKI section .cmdline") for words in named)


def test_tpm2_eventlog_reads_the_same_registers(real_boot: RealBoot, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(real_boot.capture.raw)
    output = subprocess.run([require("tpm2_eventlog"), path], capture_output=True, text=True, check=True).stdout
    registers = output.partition("\npcrs:\n")[2]
    for bank in BANKS:
        block = re.search(rf"  {bank.value}:\n((?:    .*\n)+)", registers)
        assert block is not None
        theirs = {int(number): value for number, value in re.findall(r"(\d+)\s*: 0x(\w+)", block.group(1))}
        assert {register.index for register in PROVEN} <= set(theirs)
        for register in PROVEN:
            assert theirs[register.index] == real_boot.capture.pcrs[bank][register].hex
