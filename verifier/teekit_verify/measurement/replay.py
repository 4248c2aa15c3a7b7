"""Replays an event log: register = H(register || digest), starting from zeros."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.measurement.events import EventType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.measurement.events import Event
    from teekit_verify.measurement.registers import Register


def extend(register_value: Digest, digest: Digest) -> Digest:
    """TPM2_PCR_Extend (TPM 2.0 part 3, 22.2) and TDG.MR.RTMR.EXTEND (TDX module ABI): H(old || new)."""
    return Digest.of(register_value.algorithm, register_value.value + digest.value)


def replay(events: Iterable[Event], algorithm: Algorithm) -> dict[Register, Digest]:
    """The value of every register that has at least one event. EV_NO_ACTION events extend nothing."""
    values: dict[Register, Digest] = {}
    for event in events:
        if event.event_type == EventType.EV_NO_ACTION:
            continue
        before = values.get(event.register, Digest.zero(algorithm))
        values[event.register] = extend(before, event.digest(algorithm))
    return values
