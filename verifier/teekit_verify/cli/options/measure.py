"""Options of `measure`: for what the artifact is measured, and on which machine it is booted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from teekit_verify.prediction.given_apps import GivenApps

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


ManifestOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="What the machine is given to run: a manifest, of which the exact bytes count. Again for the next kettle.",
        show_default=False,
    ),
]
AppOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="The app of the manifest in the same place: its bytes have to be those that the manifest names.",
        show_default=False,
    ),
]
HostnameOption = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A hostname that the machine is given. May be repeated.", show_default=False),
]


def given_apps(
    manifests: list[Path] | None, apps: list[Path] | None, hostnames: list[str] | None, *, any_hostnames: bool = False
) -> GivenApps | None:
    """None without manifests. `any_hostnames`: without --hostname, any will do; else none is given.

    Raises TeekitError for what the guest would refuse, and for an app that is not its manifest's.
    """
    from teekit_verify.core.digest import digest_file
    from teekit_verify.core.errors import TeekitError
    from teekit_verify.documents.app_manifest import MOST_MANIFESTS, read_manifest, require_hostname
    from teekit_verify.prediction.given_apps import GivenApps

    if not manifests:
        if apps or hostnames:
            raise TeekitError("--app and --hostname go with --manifest", hint="Give the manifest as well.")
        return None
    if len(manifests) > MOST_MANIFESTS or len(apps or ()) > len(manifests):
        raise TeekitError(
            f"expected at most {MOST_MANIFESTS} manifests, and no more apps than manifests",
            hint="Give --manifest and --app once for each kettle.",
        )
    parsed = tuple(map(read_manifest, manifests))
    for path, manifest in zip(apps or (), parsed, strict=False):
        found = digest_file(path)
        if found != manifest.sha256:
            raise TeekitError(
                f"{path}: its SHA-256 is {found.hex}, and the manifest names {manifest.sha256.hex}",
                hint="Give the app that the manifest is about.",
            )
    names = tuple(dict.fromkeys(map(require_hostname, hostnames or ())))
    return GivenApps(parsed, None if any_hostnames and hostnames is None else names)
