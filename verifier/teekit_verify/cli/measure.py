"""`teekit-verify measure`: predict what a guest's measurement registers will hold after booting an artifact."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.machine_options import (
    CmdlineOption,
    CpusOption,
    DisksOption,
    Edk2Option,
    FirmwareOption,
    InitrdOption,
    KernelOption,
    MachineOption,
    MachineOptions,
    MemoryOption,
    MrtdOrder,
    MrtdOrderOption,
    QemuOption,
)
from teekit_verify.cli.options import DebugOption, EventsOption, JsonOption
from teekit_verify.core.outcome import ExitStatus


def measure(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="A unified kernel image (UKI), a disk with one (raw, fixed .vhd, .tar.gz of disk.raw), or TDX firmware "
            "(OVMF.fd).",
            show_default=False,
        ),
    ] = None,
    platform: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this platform: gcp, azure, qemu, tdx, uefi-vtpm. May be repeated. [default: all that FILE is for]",
            show_default=False,
        ),
    ] = None,
    vtpm: Annotated[
        bool | None,
        typer.Option(
            "--vtpm/--no-vtpm", help="Only machines with a vTPM, or without. [default: both]", show_default=False
        ),
    ] = None,
    machine: MachineOption = None,
    firmware: FirmwareOption = None,
    disks: DisksOption = None,
    memory: MemoryOption = None,
    cpus: CpusOption = None,
    edk2: Edk2Option = None,
    qemu: QemuOption = None,
    kernel: KernelOption = None,
    initrd: InitrdOption = None,
    cmdline: CmdlineOption = None,
    events: EventsOption = False,
    output: Annotated[
        Path | None, typer.Option(help="Also write the measurements to this file, as JSON.", show_default=False)
    ] = None,
    pcrlock: Annotated[
        bool, typer.Option("--pcrlock", help="Print the PCRs of one platform as a component of systemd-pcrlock.")
    ] = False,
    mrtd_order: MrtdOrderOption = "both",
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Predict the measurement registers of a guest that boots FILE, each with the event log that leads to it. Of firmware:
    MRTD. With --kernel, of a guest that QEMU starts without a disk.

    What FILE does not decide (the GPT, for a UKI without its disk; the firmware) is said to be not known, with the reason.
    """
    from teekit_verify.artifacts.tdvf import is_tdvf
    from teekit_verify.core.files import write_whole
    from teekit_verify.reference.create import dump_measurements
    from teekit_verify.reference.measure import measure_file, platforms_for
    from teekit_verify.reference.pcrlock import dump_pcrlock
    from teekit_verify.report import layout, terminal

    options = MachineOptions(machine or (), firmware, disks, memory, cpus, edk2, qemu)
    of_images = bool(platform) or vtpm is not None or pcrlock
    if kernel is not None:
        _require(file is None and not of_images, "--kernel goes with neither FILE, --platform, --vtpm nor --pcrlock")
        measurements = options.measure_kernel(kernel, initrd, cmdline)
    else:
        _require(file is not None, "Missing argument 'FILE'")
        _require(initrd is None and cmdline is None, "--initrd and --cmdline go with --kernel")
        assert file is not None  # noqa: S101 - for mypy
        if is_tdvf(file):
            _require(not of_images and output is None and not options.any, "of firmware alone, only MRTD is measured")
            return _measure_firmware(file, mrtd_order, json_output=json_output)
        names = platform or (["uefi-vtpm"] if pcrlock else ["gcp"] if machine else [])
        platforms = platforms_for(file, names, vtpm=vtpm)
        measurements = measure_file(file, platforms, machines=options.machines(platforms))
    document = dump_measurements(measurements)
    if output is not None:
        write_whole(output, document)
    if pcrlock:
        typer.echo(dump_pcrlock(measurements).decode(), nl=False)
    elif json_output:
        typer.echo(document.decode(), nl=False)
    else:
        terminal.show_measurements(measurements, layout.console(sys.stdout), events=events)
    return ExitStatus.HOLDS


def _require(holds: bool, problem: str) -> None:
    from teekit_verify.core.errors import TeekitError

    if not holds:
        raise TeekitError(problem, hint="Run it with --help to see how it is used.")


def _measure_firmware(file: Path, mrtd_order: MrtdOrder, *, json_output: bool) -> ExitStatus:
    from teekit_verify.measurement.mrtd import PageOrder
    from teekit_verify.reference.measure_firmware import BOTH_ORDERS, measure_firmware
    from teekit_verify.reference.platform_facts import load_gcp
    from teekit_verify.report import firmware_report, layout

    orders = BOTH_ORDERS if mrtd_order == "both" else (PageOrder(mrtd_order),)
    report = firmware_report.firmware_report(measure_firmware(file, orders), load_gcp())
    if json_output:
        typer.echo(firmware_report.render_mrtd(report).decode(), nl=False)
    else:
        firmware_report.show_mrtd(report, layout.console(sys.stdout))
    return ExitStatus.HOLDS
