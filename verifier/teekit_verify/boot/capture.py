"""Boots a disk and brings back the event log the firmware really wrote, and the PCR values the TPM really has.

The guest need not cooperate: its memory is read from outside until the log says that boot services ended.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.boot import qemu
from teekit_verify.boot.memory import FoundLog, find_logs
from teekit_verify.boot.running import MachineEndedError, in_words, running_qemu
from teekit_verify.boot.swtpm import BANKS, SoftwareTpm, running_tpm
from teekit_verify.core.digest import Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.process import find_program, last_lines
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import pcr
from teekit_verify.registers.replay import replay

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from teekit_verify.boot.qmp import QmpClient
    from teekit_verify.boot.running import Program
    from teekit_verify.core.digest import Algorithm
    from teekit_verify.core.progress import Progress
    from teekit_verify.evidence.eventlog import EventLog
    from teekit_verify.registers.registers import Register

    Pcrs = Mapping[Algorithm, Mapping[Register, Digest]]

_POLL_SECONDS = 1.0
_SERIAL_LINES = 12
_BOOT_SERVICES_ENDED = b"Exit Boot Services Returned with Success"
_PCRS_OF_THE_LOG = range(10)
"""PCR 0 to 9: nothing extends them after boot services end, so here log and TPM must agree (10 is Linux IMA's, 11 to
15 are extended by systemd later)."""


@dataclass(frozen=True, slots=True)
class BootCapture:
    """`raw` is the log as it was in memory, without padding; `pcrs` come from the TPM and not from the log."""

    raw: bytes
    log: EventLog
    pcrs: Pcrs
    accelerator: str
    seconds: float


@dataclass(frozen=True, slots=True)
class BootOptions:
    """`serial_line`: wait for this text on the serial console too, after the log is complete.

    `memory_bytes`: what the guest gets; `qemu.memory_for` says what a UKI needs.
    """

    memory_bytes: int = 2 << 30
    serial_line: str | None = None
    timeout_seconds: float = 900
    accelerators: tuple[str, ...] | None = None
    firmware: qemu.Firmware | None = None


def boot_and_capture(disk: Path, options: BootOptions, progress: Progress) -> BootCapture:
    """Boot `disk` (raw, stays unchanged). Tries KVM first where it is there, and TCG when a guest cannot run on it.

    Ends QEMU and swtpm and removes all temporary files, however it ends. Raises TeekitError with the last lines of the
    serial console when the guest does not get there in time.
    """
    names = options.accelerators or qemu.accelerators()
    for name in names[:-1]:
        try:
            return _boot(disk, options, name, progress)
        except MachineEndedError as error:
            progress.note(f"{name} cannot run this guest ({error.what}), trying {names[-1]}")
    return _boot(disk, options, names[-1], progress)


def _boot(disk: Path, options: BootOptions, accelerator: str, progress: Progress) -> BootCapture:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="teekit-") as name, running_tpm(Path(name), log=Path(name, "log")) as tpm:
        machine = _machine(Path(name), disk, options, accelerator, tpm)
        argv = qemu.argv(find_program(qemu.PROGRAM, hint=qemu.HINT), machine)
        with running_qemu(argv, machine.qmp_socket, log=Path(name, "log")) as (process, qmp):
            with progress.step(f"boot in QEMU ({accelerator})"):
                _wait(process, qmp, machine, options, progress)
            qmp.execute("stop")
            found = find_logs(machine.memory_file)
            process.kill()  # not `quit`: a QEMU that ends in good order resets the TPM
            process.wait()
        pcrs = tpm.read_pcrs()
    chosen = choose_log(found, pcrs)
    return BootCapture(chosen.raw, chosen.log, pcrs, accelerator, time.monotonic() - started)


def choose_log(found: Sequence[FoundLog], pcrs: Pcrs) -> FoundLog:
    """The log that is complete and replays to the TPM's PCR 0 to 9 in both banks: whatever else lies in guest memory,
    stale copies or a log that the image brought along, does not. Raises TeekitError if there is none.
    """
    for candidate in found:
        if is_complete(candidate.log) and all(_replays_to(candidate.log, pcrs, bank) for bank in BANKS):
            return candidate
    raise TeekitError(
        f"of {len(found)} event logs in guest memory none replays to the TPM's PCR 0 to 9",
        hint="Boot it again; if this happens every time, the firmware measures without logging.",
    )


def is_complete(log: EventLog) -> bool:
    """Boot services ended (UEFI firmware measures two actions when they do): firmware logs nothing after that."""
    return any(
        event.event_type == EventType.EV_EFI_ACTION and event.data == _BOOT_SERVICES_ENDED for event in log.events
    )


def _replays_to(log: EventLog, pcrs: Pcrs, bank: Algorithm) -> bool:
    values = replay(log.events, bank) if bank in log.algorithms else {}
    return all(values.get(pcr(index), Digest.zero(bank)) == pcrs[bank][pcr(index)] for index in _PCRS_OF_THE_LOG)


def _machine(folder: Path, disk: Path, options: BootOptions, accelerator: str, tpm: SoftwareTpm) -> qemu.Machine:
    firmware = options.firmware or qemu.find_firmware()
    variables = folder / "variables.fd"
    shutil.copyfile(firmware.variables, variables)
    return qemu.Machine(
        accelerator=accelerator,
        memory_bytes=options.memory_bytes,
        firmware=qemu.Firmware(firmware.code, variables),
        disk=disk.absolute(),
        memory_file=folder / "memory",
        serial_log=folder / "serial",
        qmp_socket=folder / "qmp.sock",
        tpm_socket=tpm.control,
    )


def _wait(
    process: Program,
    qmp: QmpClient,
    machine: qemu.Machine,
    options: BootOptions,
    progress: Progress,
) -> None:
    deadline = time.monotonic() + options.timeout_seconds
    logged = False
    while not (logged and _printed(machine.serial_log, options.serial_line)):
        status = "ended" if process.poll() is not None else qmp.status()
        if status != "running":
            raise MachineEndedError(f"QEMU's status is {status!r}, expected 'running'", _console(machine))
        if time.monotonic() > deadline:
            wanted = "a complete event log" if not logged else repr(options.serial_line)
            raise TeekitError(
                f"the guest did not reach {wanted} within {options.timeout_seconds:.0f} s{_console(machine)}",
                hint="Allow more time, or boot it by hand and look at its console.",
            )
        time.sleep(_POLL_SECONDS)
        if not logged and any(is_complete(found.log) for found in find_logs(machine.memory_file)):
            progress.note("boot services ended: the event log is complete")
            logged = True


def _printed(serial_log: Path, line: str | None) -> bool:
    return line is None or line.encode() in serial_log.read_bytes()


def _console(machine: qemu.Machine) -> str:
    return in_words(last_lines(machine.serial_log, _SERIAL_LINES))
