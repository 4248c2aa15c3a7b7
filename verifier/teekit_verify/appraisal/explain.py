"""Why two event lists of one register differ: the first event that is not the same, in words."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from teekit_verify.appraisal.checklist import EventDifference
from teekit_verify.measurement.events import event_type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.core.digest import Algorithm
    from teekit_verify.reference.model import PredictedEvent

_SHORT = 16


def first_difference(
    platform: str,
    register: str,
    bank: Algorithm,
    expected: Sequence[PredictedEvent],
    found: Sequence[PredictedEvent],
) -> EventDifference | None:
    """None if the digests are equal, event by event. Types and descriptions are not compared: they extend nothing."""
    for position, (wanted, seen) in enumerate(zip_longest(expected, found)):
        wanted_hex, seen_hex = _digest(wanted, bank), _digest(seen, bank)
        if wanted_hex == seen_hex:
            continue
        cause = next((event.cause for event in (seen, wanted) if event is not None and event.cause), "")
        text = _in_words(position, wanted, seen, bank) + (f"; look at: {cause}" if cause else "")
        return EventDifference(platform, register, bank.value, position, wanted_hex, seen_hex, cause, text)
    return None


def _digest(event: PredictedEvent | None, bank: Algorithm) -> str:
    digest = None if event is None else event.digest(bank)
    return "" if digest is None else digest.hex


def _in_words(position: int, wanted: PredictedEvent | None, seen: PredictedEvent | None, bank: Algorithm) -> str:
    """Events are counted from 1 here: people do."""
    where = f"first difference at event {position + 1}"
    if seen is None and wanted is not None:
        return f"{where}: {_name(wanted)} is missing"
    if wanted is None and seen is not None:
        return f"{where}: {_name(seen)} is not in the reference"
    assert wanted is not None  # noqa: S101 - zip_longest never gives two fill values
    assert seen is not None  # noqa: S101
    if (wanted.type, wanted.description) != (seen.type, seen.description):
        return f"{where}: expected {_name(wanted)}, found {_name(seen)}"
    digests = f"expected {_digest(wanted, bank)[:_SHORT]}, found {_digest(seen, bank)[:_SHORT]}"
    return f"{where}: {_name(seen)}: {digests}"


def _name(event: PredictedEvent) -> str:
    return f"{event.description} ({event_type_name(event.type)})"
