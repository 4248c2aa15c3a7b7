"""What a guest gave, and what it should be, as options of `compare` and `guest`, in groups."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import typer

from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from teekit_verify.api import GivenApps, GuestFiles, SecureBoot


@frozen
class EvidenceOptions:
    """The files that a guest gave."""

    HEADING: ClassVar = "A running guest, in place of FILE"
    quote: Annotated[
        Path | None,
        typer.Option("--quote", metavar="FILE", help="A TDX quote of a running guest, as `quote` takes it."),
    ] = None
    eventlog: Annotated[
        Path | None,
        typer.Option(
            "--eventlog",
            metavar="FILE",
            help="The guest's event log, as `replay` takes it. [default: as in --quote, if a TD's is beside the quote]",
        ),
    ] = None
    ima: Annotated[
        Path | None,
        typer.Option(
            "--ima",
            metavar="FILE",
            help="IMA's measurement list (ascii_runtime_measurements or binary_runtime_measurements), where IMA extends RTMR2 too.",
        ),
    ] = None
    vtpm_evidence: Annotated[
        list[Path] | None,
        typer.Option(
            "--vtpm-evidence",
            "--vtpm",
            metavar="FILE",
            help="Azure: HCL report, TPM quote, its signature, PCR values, certificates of the key; one each, in any order. "
            "[default: as in --quote, if that is a document with all of them; certificates alone are added to it]",
        ),
    ] = None
    azure_root: Annotated[
        Path | None,
        typer.Option(
            "--azure-root",
            metavar="PEM",
            help="Azure: also trust this root for the vTPM's key. [default: Azure Virtual TPM Root Certificate Authority 2023]",
        ),
    ] = None

    runtime_log: Annotated[
        Path | None,
        typer.Option(
            "--runtime-log",
            metavar="FILE",
            help="The guest's log of what it was given to run (/run/teekit/runtime-log).",
        ),
    ] = None

    def files(self, quote: Path) -> GuestFiles:
        """All of them; `quote` is that which was required."""
        from teekit_verify import api

        return api.GuestFiles(quote, tuple(self.vtpm_evidence or ()), self.eventlog, self.ima, self.runtime_log)


@frozen
class RunsOptions:
    """What a guest should have been given to run."""

    HEADING: ClassVar = "What the guest should run"
    manifest: Annotated[
        list[Path] | None,
        typer.Option(
            "--manifest",
            metavar="FILE",
            help="The manifest it was given, byte for byte; repeat it for each further kettle. "
            "[default: those of the reference]",
        ),
    ] = None
    hostname: Annotated[
        list[str] | None,
        typer.Option("--hostname", metavar="NAME", help="A hostname it was given; may be repeated. [default: any]"),
    ] = None

    @property
    def given(self) -> GivenApps | None:
        """None is as the reference says. Raises TeekitError for what the guest would refuse."""
        from teekit_verify import api
        from teekit_verify.core.errors import TeekitError

        if self.manifest:
            return api.given_apps(self.manifest, (), self.hostname)
        if self.hostname:
            raise TeekitError("--hostname goes with --manifest", hint="Give the manifest as well.")
        return None


@frozen
class MachineOptions:
    """What the caller knows of the guest's machine."""

    HEADING: ClassVar = "The guest's machine"
    platform: Annotated[
        str | None,
        typer.Option(
            "--platform", "--machine", metavar="NAME", help="Of the reference. [default: the one that fits the quote]"
        ),
    ] = None
    mrtd: Annotated[
        list[str] | None,
        typer.Option("--mrtd", metavar="HEX", help="MRTD of a firmware that you trust, 96 digits. May be repeated."),
    ] = None
    endorsement: Annotated[
        Path | None,
        typer.Option(
            "--endorsement",
            metavar="FILE",
            help="Google's launch endorsement, which vouches for the firmware; with --google-root.",
        ),
    ] = None
    secure_boot: Annotated[
        Literal["on", "off", "either"] | None,
        typer.Option(
            "--secure-boot",
            help="Whether it is on in the guest: with it on, systemd-stub up to 257 does not measure the kernel by itself. "
            "[default: as the evidence says]",
            show_default=False,
        ),
    ] = None

    @property
    def state(self) -> SecureBoot | None:
        """Of Secure Boot; None is as the evidence says."""
        from teekit_verify import api

        return None if self.secure_boot is None else api.SecureBoot(self.secure_boot)
