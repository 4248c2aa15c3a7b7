"""What a guest gave, as options of `compare`, in groups."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import typer

if TYPE_CHECKING:
    from teekit_verify.api import GuestFiles, SecureBoot


@dataclass(frozen=True, slots=True)
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
            help="The list of what IMA measured (ascii_runtime_measurements or binary_runtime_measurements), where RTMR2 has it too.",
        ),
    ] = None
    vtpm_evidence: Annotated[
        list[Path] | None,
        typer.Option(
            "--vtpm-evidence",
            "--vtpm",
            metavar="FILE",
            help="Azure: HCL report, TPM quote, its signature, PCR values, certificates of the key; one each, in any order. "
            "[default: as in --quote, if that is JSON with all of them]",
        ),
    ] = None

    def files(self, quote: Path) -> GuestFiles:
        """All of them; `quote` is that which was required."""
        from teekit_verify import api

        return api.GuestFiles(quote, tuple(self.vtpm_evidence or ()), self.eventlog, self.ima)


@dataclass(frozen=True, slots=True)
class MachineOptions:
    """What the caller knows of the guest's machine."""

    HEADING: ClassVar = "The guest's machine"
    platform: Annotated[
        str | None,
        typer.Option(
            "--platform", "--machine", metavar="NAME", help="Of the reference. [default: the one that the quote fits]"
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
