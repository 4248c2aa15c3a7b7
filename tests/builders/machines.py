"""Real machines under QEMU (TCG) with a software TPM, whose firmware's own event log is read from their memory."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from builders.tools import require
from teekit_verify.boot import qemu
from teekit_verify.boot.memory import find_logs
from teekit_verify.boot.swtpm import running_tpm
from teekit_verify.core.process import last_lines, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from teekit_verify.evidence.eventlog import EventLog

MEMORY_BYTES = 2 << 30


@dataclass(frozen=True)
class PreparedMachine:
    """Its TPM runs; `arguments` are QEMU's, without program and accelerator."""

    folder: Path
    arguments: tuple[str, ...]

    def boot(self, is_wanted: Callable[[EventLog], bool], *, timeout_seconds: float) -> EventLog:
        """Boot it until its memory has a log that is wanted, and end it."""
        memory, output = self.folder / "memory", self.folder / "qemu"
        with started((require(qemu.PROGRAM), *self.arguments, "-accel", "tcg"), log=output) as process:
            deadline = time.monotonic() + timeout_seconds
            while time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.5)
                for found in find_logs(memory) if memory.exists() else ():
                    if is_wanted(found.log):
                        return found.log
        lines = [*last_lines(output), *last_lines(self.folder / "serial")]
        pytest.fail("the machine did not come to the wanted event:\n" + "\n".join(lines))


@dataclass(frozen=True)
class RealMachine:
    """The machine of `teekit-verify boot`, with `more` arguments behind its own."""

    firmware: qemu.Firmware
    disk: Path
    more: tuple[str, ...] = ()

    @contextlib.contextmanager
    def prepared(self) -> Iterator[PreparedMachine]:
        """In a fresh folder, which is removed in the end."""
        require("swtpm")
        require("swtpm_setup")
        with tempfile.TemporaryDirectory(prefix="teekit-") as name:
            folder = Path(name)
            variables = folder / "variables.fd"
            shutil.copyfile(self.firmware.variables, variables)
            with running_tpm(folder, log=folder / "log") as tpm:
                machine = qemu.Machine(
                    accelerator="tcg",
                    memory_bytes=MEMORY_BYTES,
                    firmware=qemu.Firmware(self.firmware.code, variables),
                    disk=self.disk,
                    memory_file=folder / "memory",
                    serial_log=folder / "serial",
                    qmp_socket=folder / "qmp.sock",
                    tpm_socket=tpm.control,
                )
                words = qemu.argv("", machine)[1:]
                at = words.index("-accel")
                yield PreparedMachine(folder, (*words[:at], *words[at + 2 :], *self.more))
