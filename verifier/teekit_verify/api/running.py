"""An image on this machine, with what it needs from a cloud. Nothing is verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.local import run
from teekit_verify.local.machine import MOST_KETTLES
from teekit_verify.local.run import Options as LocalOptions
from teekit_verify.local.run import Ready
from teekit_verify.local.servers import METADATA_PORT, Metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from teekit_verify.core.progress import Progress

__all__ = ["METADATA_PORT", "MOST_KETTLES", "LocalOptions", "Metadata", "Ready", "run_local"]


def run_local(
    artifact: Path, options: LocalOptions, now: datetime, progress: Progress, when_ready: Callable[[Ready], None]
) -> None:
    """Boot a UKI or a disk with dummy quotes, call `when_ready` once its kettles answer, and go on until the guest ends.

    KeyboardInterrupt passes through; whatever was started or made is gone then. Raises TeekitError when a port is taken, when the kettles do
    not answer in time or are refused, and when the guest ends.
    """
    run.run_local(artifact, options, now, progress, when_ready)
