"""Options of `measure`, in groups: what of the artifact is booted, on which machine, and what is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import typer

from teekit_verify.cli.options.groups import any_given
from teekit_verify.cli.options.shared import EventsOption, JsonOption
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from teekit_verify.api import GivenApps, KernelRequest, MachineRequest, MeasureRequest

MrtdOrder = Literal["single", "two", "both"]

FileArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="A unified kernel image (UKI), a disk with one (raw, .vhd, .vhdx, .qcow2, or one of these packed: .tar.gz), or "
        "TDX firmware (OVMF.fd).",
        show_default=False,
    ),
]
MrtdOrderOption = Annotated[
    MrtdOrder,
    typer.Option(help="Of firmware: how pages are added and measured, page by page or in two passes (QEMU 8)."),
]


@frozen
class ImageOptions:
    """For what a UKI or a disk is measured, and which of its profiles."""

    HEADING: ClassVar = "Of a UKI or a disk"
    platform: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this platform: gcp, azure, qemu, tdx, uefi-vtpm. May be repeated. [default: all that apply to FILE]",
            show_default=False,
        ),
    ] = None
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of a UKI with several profiles: the ID or number of the one that is booted. [default: 0]",
            show_default=False,
        ),
    ] = None
    vtpm: Annotated[
        bool | None,
        typer.Option(
            "--vtpm/--no-vtpm", help="Only machines with a vTPM, or without. [default: both]", show_default=False
        ),
    ] = None


@frozen
class StubOptions:
    """What systemd-stub picks up that is not in the UKI."""

    HEADING: ClassVar = "Beside the UKI"
    beside: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="An addon (.addon.efi), a credential (.cred) or an extension (.raw, .confext.raw) of the UKI's own .extra.d, or that "
            "folder. May be repeated; of a disk they are read from the disk.",
            show_default=False,
        ),
    ] = None
    shared: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH", help="Likewise, from below loader/, for every UKI of the ESP.", show_default=False
        ),
    ] = None
    console: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What systemd-stub from 261 on adds to a command line without console=: none, hvc0 or uart,io,0x3f8. [default: all "
            "that is possible]",
            show_default=False,
        ),
    ] = None
    no_boot_secret: Annotated[
        bool,
        typer.Option("--no-boot-secret", help="The machine has no /.extra/boot-secret, which such a stub may add."),
    ] = False


@frozen
class GoogleOptions:
    """A machine of Google Cloud; its firmware may be a QEMU machine's as well."""

    HEADING: ClassVar = "The machine"
    machine: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A machine type of Google Cloud (c3-standard-4): MRTD and RTMR0 as well. May be repeated.",
            show_default=False,
        ),
    ] = None
    disks: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="On Google Cloud: the machine's disks, with the boot disk. [default: 1]",
            show_default=False,
        ),
    ] = None
    firmware: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The machine's firmware (a TDVF file). [default, on Google Cloud: every release on record]",
            show_default=False,
        ),
    ] = None


@frozen
class QemuOptions:
    """A machine of QEMU, with --platform qemu or --direct-kernel."""

    HEADING: ClassVar = "The machine, on QEMU"
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="The guest's memory, such as 2G.", show_default=False)
    ] = None
    cpus: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Its number of CPUs, for --qemu.", show_default=False)
    ] = None
    edk2: Annotated[
        str | None,
        typer.Option(
            metavar="RELEASE",
            help="The release of edk2 that the firmware was built from (2025.02-8).",
            show_default=False,
        ),
    ] = None
    qemu: Annotated[
        str | None,
        typer.Option(
            metavar="ARGUMENTS",
            help="The machine's other arguments; the QEMU that is installed makes its ACPI tables. For TDX: "
            "-M q35,pic=off,smm=off,hpet=off and its devices.",
            show_default=False,
        ),
    ] = None


@frozen
class DirectBootOptions:
    """A kernel that QEMU starts without a disk, in place of FILE."""

    HEADING: ClassVar = "Direct boot, in place of FILE"
    direct_kernel: Annotated[
        Path | None,
        typer.Option(
            "--direct-kernel",
            "--kernel",
            metavar="FILE",
            help="A Linux kernel that QEMU starts directly (-kernel).",
            show_default=False,
        ),
    ] = None
    initrd: Annotated[Path | None, typer.Option(metavar="FILE", help="Its initrd (-initrd).", show_default=False)] = (
        None
    )
    cmdline: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Its command line (-append).", show_default=False)
    ] = None


@frozen
class GivenOptions:
    """What the machine is given to run. An image that does not measure it takes none."""

    HEADING: ClassVar = "What the machine is given to run"
    manifest: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A manifest, byte for byte. Repeat it for each further kettle.",
            show_default=False,
        ),
    ] = None
    app: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="The app of the manifest in the same position: its digest must be the one in the manifest.",
            show_default=False,
        ),
    ] = None
    hostname: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A hostname that the machine is given. May be repeated.", show_default=False),
    ] = None


@frozen
class OutputOptions:
    """How the measurements are printed, and where else they go."""

    HEADING: ClassVar = "Output"
    events: EventsOption = False
    format_name: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Print it in another verifier's format: portable, flashbots, rvps, go-tdx-guest, pcrlock.",
            show_default=False,
        ),
    ] = None
    pcrlock: Annotated[
        bool,
        typer.Option("--pcrlock", help="The same as --format pcrlock: the PCRs of one platform for systemd-pcrlock."),
    ] = False
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also write the measurements to this file, as JSON.", show_default=False),
    ] = None
    json_output: JsonOption = False

    @property
    def format(self) -> str | None:
        """Another verifier's format. Raises TeekitError if two are named."""
        _require(not (self.pcrlock and self.format_name), "--pcrlock is --format pcrlock: give one of them")
        return "pcrlock" if self.pcrlock else self.format_name


def measure_request(
    file: Path | None,
    image: ImageOptions,
    stub: StubOptions,
    google: GoogleOptions,
    qemu: QemuOptions,
    direct: DirectBootOptions,
    given: GivenOptions,
    output: OutputOptions,
    mrtd_order: MrtdOrder,
) -> MeasureRequest | KernelRequest:
    """What the options ask for together. Raises TeekitError for those that cannot be used together."""
    from teekit_verify import api

    chosen, machine = output.format, _machine(google, qemu)
    if direct.direct_kernel is not None:
        _require(
            file is None and not any_given(image, stub, given) and chosen != "pcrlock",
            "--direct-kernel goes with neither FILE, --platform, --profile, --vtpm, --beside, --manifest nor --pcrlock",
        )
        return api.KernelRequest(direct.direct_kernel, machine, direct.initrd, direct.cmdline, chosen)
    if file is None:
        raise _wrong("Missing argument 'FILE'")
    _require(direct.initrd is None and direct.cmdline is None, "--initrd and --cmdline go with --direct-kernel")
    return api.MeasureRequest(
        file,
        machine,
        tuple(image.platform or ()),
        vtpm=image.vtpm,
        profile=image.profile,
        format=chosen,
        page_order=None if mrtd_order == "both" else api.PageOrder(mrtd_order),
        given=given_apps(given.manifest, given.app, given.hostname),
        stub=api.stub_inputs(
            stub.beside or (), stub.shared or (), console=stub.console, no_boot_secret=stub.no_boot_secret
        ),
    )


def given_apps(
    manifests: list[Path] | None, apps: list[Path] | None, hostnames: list[str] | None, *, any_hostnames: bool = False
) -> GivenApps | None:
    """None without manifests. `any_hostnames`: without --hostname, any will do; else none is given.

    Raises TeekitError for what the guest would refuse, and for an app that is not its manifest's.
    """
    from teekit_verify import api

    if not manifests:
        if apps or hostnames:
            raise TeekitError("--app and --hostname go with --manifest", hint="Give the manifest as well.")
        return None
    return api.given_apps(manifests, apps or (), None if any_hostnames and hostnames is None else hostnames or ())


def _machine(google: GoogleOptions, qemu: QemuOptions) -> MachineRequest:
    from teekit_verify import api

    return api.MachineRequest(
        google.machine or (), google.firmware, google.disks, qemu.memory, qemu.cpus, qemu.edk2, qemu.qemu
    )


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise _wrong(problem)


def _wrong(problem: str) -> TeekitError:
    return TeekitError(problem, hint="Run `teekit-verify measure --help` to see how it is used.")
