"""What a guest gave, as options of `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from teekit_verify.core.digest import Digest
    from teekit_verify.reference.google_signature import TrustedRoot

QuoteOption = Annotated[
    Path | None,
    typer.Option("--quote", metavar="FILE", help="A TDX quote of a running guest, as `quote` takes it."),
]
VtpmOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--vtpm",
        metavar="FILE",
        help="Azure: HCL report, TPM quote, its signature, PCR values, certificates of the key; one each, in any order. "
        "[default: as in --quote, if that is JSON with all of them]",
    ),
]
EventlogOption = Annotated[
    Path | None,
    typer.Option(
        "--eventlog",
        metavar="FILE",
        help="The guest's event log, as `replay` takes it. [default: as in --quote, if a TD's is beside the quote]",
    ),
]
MrtdOption = Annotated[
    list[str] | None,
    typer.Option("--mrtd", metavar="HEX", help="MRTD of a firmware that you trust, 96 digits. May be repeated."),
]
EndorsementOption = Annotated[
    Path | None,
    typer.Option(
        "--endorsement",
        metavar="FILE",
        help="Google's launch endorsement, which vouches for the firmware; with --google-root.",
    ),
]
RuntimeLogOption = Annotated[
    Path | None,
    typer.Option(
        "--runtime-log", metavar="FILE", help="The guest's log of what it was given to run (/run/teekit/runtime-log)."
    ),
]
ImaOption = Annotated[
    Path | None,
    typer.Option(
        "--ima",
        metavar="FILE",
        help="The list of what IMA measured (ascii_runtime_measurements or binary_runtime_measurements), where RTMR2 has it too.",
    ),
]
SecureBootOption = Annotated[
    Literal["on", "off", "either"] | None,
    typer.Option(
        "--secure-boot",
        help="Whether it is on in the guest: with it on, systemd-stub up to 257 does not measure the kernel by itself. "
        "[default: as the evidence says]",
        show_default=False,
    ),
]
PlatformOption = Annotated[
    str | None,
    typer.Option(
        "--platform", "--machine", metavar="NAME", help="Of the reference. [default: the one that the quote fits]"
    ),
]


def trusted_firmware(mrtds: list[str] | None, endorsement: Path | None, root: TrustedRoot | None) -> tuple[Digest, ...]:
    """The MRTDs that somebody vouches for. Raises TeekitError for what is none, and NotAuthenticError for a bad signature."""
    from teekit_verify.core.digest import Algorithm
    from teekit_verify.core.errors import TeekitError
    from teekit_verify.documents import fields
    from teekit_verify.reference import formats
    from teekit_verify.registers.registers import MRTD

    digests = []
    for text in mrtds or ():
        try:
            digests.append(fields.parse_digest(Algorithm.SHA384, text))
        except ValueError as error:
            raise TeekitError(f"--mrtd: {error}", hint="Give what `measure FIRMWARE` prints.") from error
    if endorsement is not None:
        published = formats.load_published(endorsement, root)
        if published.format != formats.gce_endorsement.FORMAT.name:
            raise TeekitError(
                f"{endorsement}: is no launch endorsement, but: {published.format}",
                hint="Give other files of reference values as REF.",
            )
        for values in published.values:
            for registers in values.platforms.values():
                digests += [digest for item in registers[MRTD].acceptable for digest in item.register.values or ()]
    return tuple(digests)
