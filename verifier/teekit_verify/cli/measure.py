"""`teekit-verify measure`: predict what a guest's measurement registers will hold after booting an artifact."""

from __future__ import annotations

import sys

import typer

from teekit_verify.cli.options import measure as given
from teekit_verify.cli.options.shared import DebugOption, EventsOption, JsonOption, say_warning
from teekit_verify.cli.wrong_file import ARTIFACTS, expecting
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.outcome import ExitStatus


def measure(
    file: given.FileArgument = None,
    platform: given.PlatformOption = None,
    profile: given.ProfileOption = None,
    vtpm: given.VtpmOption = None,
    machine: given.MachineOption = None,
    firmware: given.FirmwareOption = None,
    disks: given.DisksOption = None,
    memory: given.MemoryOption = None,
    cpus: given.CpusOption = None,
    edk2: given.Edk2Option = None,
    qemu: given.QemuOption = None,
    kernel: given.KernelOption = None,
    initrd: given.InitrdOption = None,
    cmdline: given.CmdlineOption = None,
    manifest: given.ManifestOption = None,
    app: given.AppOption = None,
    hostname: given.HostnameOption = None,
    events: EventsOption = False,
    output: given.OutputOption = None,
    pcrlock: given.PcrlockOption = False,
    format_name: given.FormatOption = None,
    mrtd_order: given.MrtdOrderOption = "both",
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Predict the measurement registers of a guest that boots FILE.

    Each comes with the event log that leads to it. Of firmware: MRTD. With --kernel: of a guest that QEMU starts without a
    disk. What FILE does not decide (the GPT, for a UKI without its disk; the firmware) is said to be not known, with the
    reason.

    Exit status: 0 it was measured, 2 it could not be. Nothing is compared.
    """
    from teekit_verify.artifacts.tdvf import is_tdvf
    from teekit_verify.boot.machine_request import MachineRequest
    from teekit_verify.cli.measure_firmware import measure_firmware
    from teekit_verify.core.files import write_named
    from teekit_verify.documents.create import dump_measurements
    from teekit_verify.prediction.image import booted_profile, booted_without_variables, measure_file, platforms_for
    from teekit_verify.reference.writers import writer
    from teekit_verify.report import layout, terminal

    chosen = writer("pcrlock") if pcrlock else None if format_name is None else writer(format_name)
    _require(not (pcrlock and format_name), "--pcrlock is --format pcrlock: give one of them")
    request = MachineRequest(machine or (), firmware, disks, memory, cpus, edk2, qemu)
    runs = given.given_apps(manifest, app, hostname)
    of_images = bool(platform) or profile is not None or vtpm is not None or pcrlock or runs is not None
    booted = ""
    if kernel is not None:
        _require(
            file is None and not of_images,
            "--kernel goes with neither FILE, --platform, --profile, --vtpm, --manifest nor --pcrlock",
        )
        measurements = request.measure_kernel(kernel, initrd, cmdline)
    else:
        _require(file is not None, "Missing argument 'FILE'")
        _require(initrd is None and cmdline is None, "--initrd and --cmdline go with --kernel")
        assert file is not None  # noqa: S101 - for mypy
        if is_tdvf(file):
            _require(
                not of_images and not chosen and output is None and not request.any,
                "of firmware alone, only MRTD is measured",
            )
            return measure_firmware(file, mrtd_order, json_output=json_output)
        names = platform or (list(chosen.platforms) if chosen else ["gcp"] if machine else [])
        with expecting(file, *ARTIFACTS):
            platforms = platforms_for(file, names, vtpm=vtpm)
            machines = request.machines(platforms)
            measurements = measure_file(file, platforms, machines=machines, profile=profile or "0", given=runs)
            booted = booted_profile(file, profile or "0")
    document = dump_measurements(measurements)
    if output is not None:
        write_named(output, document)
    if chosen is not None:
        typer.echo(chosen.write(measurements).decode(), nl=False)
    elif json_output:
        typer.echo(document.decode(), nl=False)
    else:
        terminal.show_measurements(measurements, layout.console(sys.stdout), events=events)
        if booted:
            typer.echo(booted)
        if file is not None and not booted_without_variables(file):
            say_warning(
                f"the host may change its command line with no register showing it: `inspect {file.name}` tells"
            )
    return ExitStatus.HOLDS


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise TeekitError(problem, hint="Run it with --help to see how it is used.")
