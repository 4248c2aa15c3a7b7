"""Boots on this machine: a prediction against a real boot, and an image with what it needs from a cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.boot.capture import BootOptions
from teekit_verify.boot.proof import prove

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.boot.proof import BootProof
    from teekit_verify.core.progress import Progress


def boot(
    artifact: Path,
    progress: Progress,
    *,
    serial_line: str | None = None,
    timeout_seconds: float = 900,
    accelerators: Sequence[str] | None = None,
    save_log: Path | None = None,
) -> BootProof:
    """Boot a UKI or a disk in QEMU with OVMF and a software TPM, and compare the log with the predicted one.

    `serial_line`: also wait until the guest prints this. `accelerators`: `kvm`, `tcg`, in the order in which they are tried; None is
    KVM where it runs the guest. `save_log` takes the event log.

    Raises TeekitError for what cannot be predicted or booted.
    """
    options = BootOptions(
        serial_line=serial_line,
        timeout_seconds=timeout_seconds,
        accelerators=None if accelerators is None else tuple(accelerators),
    )
    return prove(artifact, options, progress, save_log=save_log)
