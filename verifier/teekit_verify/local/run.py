"""Runs an image on this machine until it is interrupted, with all that it would find in a cloud."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from teekit_verify.artifacts.uki import open_uki
from teekit_verify.boot import qemu
from teekit_verify.boot.artifact import Bootable, bootable
from teekit_verify.boot.running import MachineEndedError, in_words, running_qemu
from teekit_verify.boot.swtpm import running_tpm
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.process import find_program, last_lines
from teekit_verify.documents.app_manifest import parse_manifest
from teekit_verify.local.dummy_quote import DummySigner
from teekit_verify.local.image_apps import IMAGE_MANIFEST, file_of_image, require_apps_of_image
from teekit_verify.local.machine import ATTESTATION_PORT, HTTPS_PORT, KETTLE_PORT, LocalMachine
from teekit_verify.local.servers import (
    METADATA_PORT,
    QUOTE_PORT,
    DummyQuotes,
    Metadata,
    free_port,
    require_free,
    serving,
)
from teekit_verify.prediction.given_apps import GivenApps, measures_apps, predict_events
from teekit_verify.prediction.uki import predict_uki
from teekit_verify.registers.measured import TD_REGISTER
from teekit_verify.registers.registers import Register, RegisterKind
from teekit_verify.registers.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from teekit_verify.boot.qmp import QmpClient
    from teekit_verify.boot.running import Program
    from teekit_verify.core.progress import Progress

_POLL_SECONDS = 0.5
_SERIAL_LINES = 12
_ANSWERS = re.compile(rb"teekit: kettle (\d+) answers on port \d+")
_REFUSED = re.compile(rb"teekit: ((?:no kettle is|kettle (\d+) is not) started: [ -~]{1,400})\r?\n")


@dataclass(frozen=True, slots=True)
class Options:
    """`kettle_port` is where this host's loopback has the first kettle, `attestation_port` what the guest says of itself; `seconds` is how long the kettles may take."""

    metadata: Metadata
    kettles: int = 1
    kettle_port: int = KETTLE_PORT
    attestation_port: int = ATTESTATION_PORT
    seconds: float = 900
    accelerators: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """Everything answers. `console` is a Unix socket; `https` is None without hostnames; `tpm` says whether the machine has one."""

    kettles: tuple[str, ...]
    attestation: str
    https: str | None
    tpm: bool
    metadata: str
    quotes: str
    console: Path
    accelerator: str
    seconds: float


def run_local(
    artifact: Path, options: Options, now: datetime, progress: Progress, when_ready: Callable[[Ready], None]
) -> None:
    """Boot `artifact` (UKI or disk), call `when_ready` once its kettles answer, and go on until the guest ends.

    Ctrl-C goes through, and whatever was started or made is gone then. Raises TeekitError when a port is taken, when
    the kettles do not answer in time or are refused, and when the guest ends.
    """
    with bootable(artifact) as booted, contextlib.ExitStack() as beside:
        require_apps_of_image(options.metadata.manifests, booted.uki, progress)
        signer, values = DummySigner.create(now), _predicted(booted)
        values = {**values, **_predicted_of_apps(booted, options.metadata, progress)}
        for port in (options.attestation_port, *(options.kettle_port + i for i in range(options.kettles))):
            require_free(port)
        beside.enter_context(serving(METADATA_PORT, options.metadata.answer))
        beside.enter_context(serving(QUOTE_PORT, DummyQuotes(lambda data: signer.quote(data, values)).answer))
        names = options.accelerators or qemu.accelerators()
        for name in names[:-1]:
            try:
                return _boot(booted, options, name, progress, when_ready)
            except MachineEndedError as error:
                # Without QEMU's own words, which are all the processor's registers.
                progress.note(f"{name} cannot run this guest ({error.what}), trying {names[-1]}")
        return _boot(booted, options, names[-1], progress, when_ready)


def _predicted(booted: Bootable) -> Mapping[Register, Digest]:
    """The RTMRs that a TDX machine without vTPM would have with this image and disk; those that cannot be told are left out."""
    with open_uki(booted.uki) as uki:
        predictions = predict_uki(uki, booted.gpt, vtpm=False, companions=booted.companions)
    return {
        prediction.register: prediction.value(Algorithm.SHA384)
        for prediction in predictions
        if prediction.register.kind is RegisterKind.RTMR and not prediction.missing
    }


def _predicted_of_apps(booted: Bootable, metadata: Metadata, progress: Progress) -> Mapping[Register, Digest]:
    """RTMR3, if the image measures what it runs, and all of what it is given is a manifest."""
    with open_uki(booted.uki) as uki:
        if not measures_apps(uki):
            return {}
        try:
            contents = metadata.manifests or (file_of_image(booted.uki, IMAGE_MANIFEST),)
            given = GivenApps(tuple(parse_manifest(content) for content in contents), _hostnames(metadata))
        except TeekitError as error:
            progress.note(f"warning: dummy quotes have RTMR3 at zeros: {error.message}")
            return {}
    return {TD_REGISTER: replay(predict_events(TD_REGISTER, given), Algorithm.SHA384)[TD_REGISTER]}


def _hostnames(metadata: Metadata) -> tuple[str, ...]:
    """As the guest has them: in lower case, each once."""
    names = (name.strip().lower() for name in (metadata.hostname or "").split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def _boot(
    booted: Bootable, options: Options, accelerator: str, progress: Progress, when_ready: Callable[[Ready], None]
) -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="teekit-") as name:
        log = Path(name, "log")
        program = find_program(qemu.PROGRAM, hint=qemu.HINT)
        with _tpm(Path(name), log) as tpm:
            machine = _machine(Path(name), booted, options, accelerator, tpm)
            _run(machine, machine.argv(program), log, options, started, progress=progress, when_ready=when_ready)


@contextlib.contextmanager
def _tpm(folder: Path, log: Path) -> Iterator[Path | None]:
    """The control socket of a new software TPM, where this host has one."""
    if not all(shutil.which(program) for program in ("swtpm", "swtpm_setup")):
        yield None
        return
    with running_tpm(folder, log=log) as tpm:
        yield tpm.control


def _run(
    machine: LocalMachine,
    argv: tuple[str, ...],
    log: Path,
    options: Options,
    started: float,
    *,
    progress: Progress,
    when_ready: Callable[[Ready], None],
) -> None:
    with running_qemu(argv, machine.control, log=log) as (process, qmp):
        with progress.step(f"boot in QEMU ({machine.accelerator}) until {_answer(options.kettles)}"):
            answering = _wait(process, qmp, machine, log, options, progress=progress)
        when_ready(_ready(machine, answering, time.monotonic() - started))
        while process.poll() is None:
            time.sleep(_POLL_SECONDS)
        raise TeekitError(f"the guest ended{_console(machine)}")


def _machine(folder: Path, booted: Bootable, options: Options, accelerator: str, tpm: Path | None) -> LocalMachine:
    firmware = qemu.find_firmware()
    variables = folder / "variables.fd"
    shutil.copyfile(firmware.variables, variables)
    return LocalMachine(
        accelerator=accelerator,
        processors=min(2, os.cpu_count() or 1),
        memory_bytes=qemu.memory_for(booted.uki.stat().st_size),
        firmware=qemu.Firmware(firmware.code, variables),
        disk=booted.disk.absolute(),
        control=folder / "qmp.sock",
        console=folder / "console.sock",
        console_log=folder / "console.log",
        forwards=_forwards(options),
        tpm=tpm,
    )


def _forwards(options: Options) -> tuple[tuple[int, int], ...]:
    kettles = tuple((options.kettle_port + i, KETTLE_PORT + i) for i in range(options.kettles))
    https = ((free_port(), HTTPS_PORT),) if options.metadata.hostname else ()
    return ((options.attestation_port, ATTESTATION_PORT), *kettles, *https)


def _wait(
    process: Program, qmp: QmpClient, machine: LocalMachine, log: Path, options: Options, *, progress: Progress
) -> set[int]:
    """The kettles that answer, once of each is known whether it does. Raises TeekitError where none does."""
    until, answering, refused = time.monotonic() + options.seconds, set[int](), dict[int, str]()
    while len(answering | refused.keys()) < options.kettles:
        status = _status(process, qmp)
        if status != "running":
            words = "".join(f": {line}" for line in last_lines(log))
            raise MachineEndedError(f"QEMU's status is {status!r}, expected 'running'", f"{words}{_console(machine)}")
        if time.monotonic() > until:
            raise TeekitError(
                f"{len(answering)} of {options.kettles} kettles answered within {options.seconds:g} s{_console(machine)}",
                hint="Allow more time with --timeout, or look at the image with profile devtools.",
            )
        time.sleep(_POLL_SECONDS)
        printed = machine.console_log.read_bytes() if machine.console_log.exists() else b""
        for number in {int(match[1]) for match in _ANSWERS.finditer(printed)} - answering:
            answering.add(number)
            progress.note(f"kettle {number} answers")
        for match in _REFUSED.finditer(printed):
            kettle, said = match[2], match[1].decode()
            if kettle is None:
                raise _not_started(said)
            if int(kettle) not in refused.keys() | answering:
                refused[int(kettle)] = said
                progress.note(f"warning: the guest says: {said}")
    if not answering:
        raise _not_started(next(iter(refused.values())))
    return answering


def _not_started(said: str) -> TeekitError:
    return TeekitError(f"the guest says: {said}", hint="Correct the manifest, or its app.")


def _status(process: Program, qmp: QmpClient) -> str:
    """QEMU's run state, or `ended` where nobody answers any more: its socket closes a moment before it ends."""
    if process.poll() is None:
        with contextlib.suppress(TeekitError):
            return qmp.status()
    return "ended"


def _ready(machine: LocalMachine, answering: set[int], seconds: float) -> Ready:
    hosts = {guest: host for host, guest in machine.forwards}
    return Ready(
        kettles=tuple(
            f"http://localhost:{host}" for host, guest in machine.forwards if guest - KETTLE_PORT in answering
        ),
        attestation=f"http://localhost:{hosts[ATTESTATION_PORT]}",
        https=f"https://localhost:{hosts[HTTPS_PORT]}" if HTTPS_PORT in hosts else None,
        tpm=machine.tpm is not None,
        metadata=f"http://localhost:{METADATA_PORT}",
        quotes=f"http://localhost:{QUOTE_PORT}",
        console=machine.console,
        accelerator=machine.accelerator,
        seconds=seconds,
    )


def _answer(kettles: int) -> str:
    return "a kettle answers" if kettles == 1 else f"{kettles} kettles answer"


def _console(machine: LocalMachine) -> str:
    return in_words(last_lines(machine.console_log, _SERIAL_LINES))
