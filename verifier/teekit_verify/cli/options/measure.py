"""Options of `measure`: for what the artifact is measured, and on which machine it is booted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

MrtdOrder = Literal["single", "two", "both"]

FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="A unified kernel image (UKI), a disk with one (raw, fixed .vhd, .tar.gz of disk.raw), or TDX firmware "
        "(OVMF.fd).",
        show_default=False,
    ),
]
PlatformOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Only this platform: gcp, azure, qemu, tdx, uefi-vtpm. May be repeated. [default: all that FILE is for]",
        show_default=False,
    ),
]
VtpmOption = Annotated[
    bool | None,
    typer.Option("--vtpm/--no-vtpm", help="Only machines with a vTPM, or without. [default: both]", show_default=False),
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Of a UKI with several profiles: the ID or number of the one that is booted. [default: 0]",
        show_default=False,
    ),
]
OutputOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Also write the measurements to this file, as JSON.", show_default=False),
]
PcrlockOption = Annotated[
    bool, typer.Option("--pcrlock", help="Print the PCRs of one platform as a component of systemd-pcrlock.")
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="Print it in another verifier's format: portable, flashbots, rvps, go-tdx-guest, pcrlock.",
        show_default=False,
    ),
]
KernelOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Instead of FILE: a Linux kernel that QEMU starts directly (-kernel).", show_default=False
    ),
]
InitrdOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="With --kernel: its initrd (-initrd).", show_default=False)
]
CmdlineOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help="With --kernel: its command line (-append).", show_default=False)
]
MrtdOrderOption = Annotated[
    MrtdOrder,
    typer.Option(help="Of firmware: how pages are added and measured, page by page or in two passes (QEMU 8)."),
]
MachineOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="A machine type of Google Cloud (c3-standard-4): MRTD and RTMR0 as well. May be repeated.",
        show_default=False,
    ),
]
FirmwareOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The machine's firmware (a TDVF file). [default, on Google Cloud: every release on record]",
        show_default=False,
    ),
]
DisksOption = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="On Google Cloud: the machine's disks, with the boot disk. [default: 1]", show_default=False
    ),
]
MemoryOption = Annotated[
    str | None, typer.Option(metavar="SIZE", help="On QEMU: the guest's memory, such as 2G.", show_default=False)
]
Edk2Option = Annotated[
    str | None,
    typer.Option(
        metavar="RELEASE",
        help="On QEMU: the release of edk2 that the firmware was built from (2025.02-8).",
        show_default=False,
    ),
]
CpusOption = Annotated[
    int | None, typer.Option(metavar="N", help="On QEMU: its number of CPUs, for --qemu.", show_default=False)
]
QemuOption = Annotated[
    str | None,
    typer.Option(
        metavar="ARGUMENTS",
        help="On QEMU: the machine's other arguments; the QEMU that is installed makes its ACPI tables. For TDX: "
        "-M q35,pic=off,smm=off,hpet=off and its devices.",
        show_default=False,
    ),
]
