"""`teekit-verify boot`: proves a prediction by a real boot."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from teekit_verify.cli.options.shared import AcceleratorOption, DebugOption, JsonOption
from teekit_verify.core.outcome import ExitStatus


def boot(
    artifact: Annotated[
        Path,
        typer.Argument(
            metavar="ARTIFACT",
            help="A UKI, or a disk with a UKI in its ESP: raw, .vhd, .vhdx, .qcow2, or one of these packed (.tar.gz).",
            show_default=False,
        ),
    ],
    serial_line: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Also wait until the guest prints this on its serial console.", show_default=False
        ),
    ] = None,
    timeout_seconds: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", help="How long a boot may take.")
    ] = 900,
    accelerator: AcceleratorOption = None,
    save_log: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the event log of the boot to this file.", show_default=False),
    ] = None,
    json_output: JsonOption = False,
    debug: DebugOption = False,
) -> ExitStatus:
    """Boot ARTIFACT in QEMU; compare its log with the predicted one.

    It has OVMF as firmware, and a software TPM.

    Exit status: 0 every predicted event of PCR 4, 5, 9 and 11 equals the real one in both banks, and the TPM holds the
    predicted values; 1 something differs; 2 it could not be predicted or booted.
    """
    from teekit_verify import api
    from teekit_verify.report import boot_report, layout
    from teekit_verify.report.progress import StderrProgress

    proof = api.boot(
        artifact,
        StderrProgress(),
        serial_line=serial_line,
        timeout_seconds=timeout_seconds,
        accelerators=None if accelerator is None else (accelerator,),
        save_log=save_log,
    )
    if json_output:
        typer.echo(boot_report.render_proof(proof).decode(), nl=False)
    else:
        boot_report.show_proof(proof, layout.console(sys.stdout))
    return proof.status
