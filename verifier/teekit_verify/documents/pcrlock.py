"""Predicted PCRs as a component of systemd-pcrlock.

systemd-pcrlock(8): a component is a JSON object with `records`, "an array of objects", each with the PCR number `pcr`
and an array `digests` of objects with `hashAlg` and `digest` (the format of the TCG's Canonical Event Log). Only what
UKI and disk decide is listed: the firmware's own events are in components that systemd ships
(350-action-efi-exit-boot-services, 400-secureboot-separator, ...).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.registers.registers import RegisterKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.documents.model import Measurements, PredictedEvent
    from teekit_verify.registers.registers import Register

_FIRMWARE = "firmware"


def dump_pcrlock(measurements: Measurements) -> bytes:
    """The component for the only platform of `measurements`. Raises TeekitError if there is another number of them, or
    if no PCR is known.
    """
    if len(measurements.platforms) != 1:
        found = ", ".join(measurements.platforms)
        raise TeekitError(f"a pcrlock component is for one platform, found {found}", hint="Choose with --platform.")
    records = [_record(register, event) for register, event in _events(measurements)]
    if not records:
        raise TeekitError(f"no PCR of {next(iter(measurements.platforms))} is known", hint="Choose another --platform.")
    return json.dumps({"records": records}, separators=(",", ":")).encode() + b"\n"


def _events(measurements: Measurements) -> Iterator[tuple[Register, PredictedEvent]]:
    (registers,) = measurements.platforms.values()
    for register, value in registers.items():
        if register.kind is RegisterKind.PCR and value.values is not None:
            yield from ((register, event) for event in value.events if event.cause != _FIRMWARE)


def _record(register: Register, event: PredictedEvent) -> dict[str, object]:
    digests = [{"hashAlg": digest.algorithm.value, "digest": digest.hex} for digest in event.digests]
    return {"pcr": register.index, "digests": digests}
