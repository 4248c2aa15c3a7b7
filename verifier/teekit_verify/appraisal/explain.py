"""Why two event lists of one register differ: the events that are not the same, in words, and what is behind them."""

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


def event_differences(
    platform: str,
    register: str,
    bank: Algorithm,
    expected: Sequence[PredictedEvent],
    found: Sequence[PredictedEvent],
) -> tuple[EventDifference, ...]:
    """The events with other digests, the first one first; empty if the logs are equal, event by event.

    Goes on after the first for as long as both logs measure the same things in the same order: after an event that only
    one side has, positions no longer tell which belong together. Types and descriptions alone are no difference: they
    extend nothing.
    """
    differences = []
    for position, (wanted, seen) in enumerate(zip_longest(expected, found)):
        wanted_hex, seen_hex = _digest(wanted, bank), _digest(seen, bank)
        if wanted_hex == seen_hex:
            continue
        cause = next((event.cause for event in (seen, wanted) if event is not None and event.cause), "")
        text = _in_words(position, wanted, seen, bank) + (f"; look at: {cause}" if cause else "")
        differences.append(EventDifference(platform, register, bank.value, position, wanted_hex, seen_hex, cause, text))
        if wanted is None or seen is None or not _same_thing(wanted, seen):
            break
    return tuple(differences)


def causes(differences: Sequence[EventDifference]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What to look at, each with the registers it shows in (`tdx RTMR2`). The parts of a thing come before the whole."""
    registers: dict[str, dict[str, None]] = {}
    for difference in differences:
        place = f"{difference.platform} {difference.register}"
        registers.setdefault(difference.cause or "unknown", {})[place] = None
    wholes = {whole for whole in registers if any(part != whole and part.startswith(whole) for part in registers)}
    ordered = sorted(registers, key=lambda cause: cause in wholes)
    return tuple((cause, tuple(registers[cause])) for cause in ordered)


def _same_thing(wanted: PredictedEvent, seen: PredictedEvent) -> bool:
    return (wanted.type, wanted.description) == (seen.type, seen.description)


def _digest(event: PredictedEvent | None, bank: Algorithm) -> str:
    digest = None if event is None else event.digest(bank)
    return "" if digest is None else digest.hex


def _in_words(position: int, wanted: PredictedEvent | None, seen: PredictedEvent | None, bank: Algorithm) -> str:
    """Events are counted from 1 here: people do."""
    where = f"event {position + 1}"
    if seen is None and wanted is not None:
        return f"{where}: {_name(wanted)} is missing"
    if wanted is None and seen is not None:
        return f"{where}: {_name(seen)} is not in the reference"
    assert wanted is not None  # noqa: S101 - zip_longest never gives two fill values
    assert seen is not None  # noqa: S101
    if not _same_thing(wanted, seen):
        return f"{where}: expected {_name(wanted)}, found {_name(seen)}"
    digests = f"expected {_digest(wanted, bank)[:_SHORT]}, found {_digest(seen, bank)[:_SHORT]}"
    return f"{where}: {_name(seen)}: {digests}"


def _name(event: PredictedEvent) -> str:
    return f"{event.description} ({event_type_name(event.type)})"
