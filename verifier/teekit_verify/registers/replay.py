"""Replays an event log: register = H(register || digest), starting from zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import pcr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.registers.events import Event
    from teekit_verify.registers.registers import Register


_STARTUP_LOCALITY = b"StartupLocality\0"


def extend(register_value: Digest, digest: Digest) -> Digest:
    """TPM2_PCR_Extend (TPM 2.0 part 3, 22.2) and TDG.MR.RTMR.EXTEND (TDX module ABI): H(old || new)."""
    return Digest.of(register_value.algorithm, register_value.value + digest.value)


def replay(events: Iterable[Event], algorithm: Algorithm) -> dict[Register, Digest]:
    """The value of every register that has at least one event. EV_NO_ACTION events extend nothing."""
    values: dict[Register, Digest] = {}
    starts: dict[Register, Digest] = {}
    for event in events:
        if event.event_type == EventType.EV_NO_ACTION:
            if event.register == pcr(0) and event.data.startswith(_STARTUP_LOCALITY):
                starts[event.register] = _startup_value(event.data, algorithm)
            continue
        before = values.get(event.register) or starts.get(event.register) or Digest.zero(algorithm)
        values[event.register] = extend(before, event.digest(algorithm))
    return values


def _startup_value(data: bytes, algorithm: Algorithm) -> Digest:
    """PFP 1.06, 10.4.5.3: the locality TPM2_Startup came from is PCR 0's last byte then, and the rest of it is zero."""
    locality = data[len(_STARTUP_LOCALITY) :]
    if len(locality) != 1:
        raise TeekitError(f"the StartupLocality event of PCR0 has {len(data)} bytes, expected 17")
    return Digest(algorithm, locality.rjust(algorithm.size_bytes, b"\0"))
