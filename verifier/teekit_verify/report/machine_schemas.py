"""What `local` and `doctor` print with `--json`, as values that their schemas are made of.

A field with a default is left out where there is nothing to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from teekit_verify.rebuild.host import Purpose  # noqa: TC001

LOCAL_SCHEMA = "teekit-verify/local/v1"
DOCTOR_SCHEMA = "teekit-verify/doctor/v1"


@dataclass(frozen=True, slots=True)
class _Local:
    """What `local --json` prints once everything answers."""

    schema: Literal["teekit-verify/local/v1"]
    kettles: tuple[str, ...]
    attestation: str
    https: str | None
    tpm: bool
    metadata: str
    quotes: str
    console: str
    accelerator: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Need:
    name: str
    needed_for: Purpose
    present: bool
    detail: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class _Doctor:
    """What `doctor --json` prints."""

    ready: bool
    command: str | None
    items: tuple[_Need, ...]


WITH_HEADING: dict[str, tuple[type, str]] = {
    "doctor-v1": (_Doctor, DOCTOR_SCHEMA),
}
"""By the name of the committed file: what follows `schema` and `exit_status`."""
WHOLE: dict[str, tuple[object, str]] = {
    "local-v1": (_Local, LOCAL_SCHEMA),
}
"""Documents without an exit status at their top, or with it elsewhere."""
