"""The registers of a rebuild for a page: what was published and what was predicted, their event logs side by side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from teekit_verify.appraisal.event_differences import aligned
from teekit_verify.appraisal.facts import RegisterCheck
from teekit_verify.core.outcome import Outcome
from teekit_verify.documents import fields
from teekit_verify.registers.events import event_type_name
from teekit_verify.wording.checks import detail_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.appraisal.facts import Check
    from teekit_verify.core.digest import Algorithm
    from teekit_verify.documents.model import ReferenceRegister, RegisterValue
    from teekit_verify.record.document import RebuildReport
    from teekit_verify.registers.events import Event
    from teekit_verify.registers.registers import Register

_MAX_EVENTS = 200  # a boot has some dozens; aligning takes the square of it
WORST_FIRST = (Outcome.MISMATCH, Outcome.ERROR, Outcome.NOT_CHECKED, Outcome.OPEN, Outcome.MATCH)
PREDICTED = "predicted"


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event, or two in the same place. `expected` and `found` are digests, empty on the side that has none."""

    number: int
    type: str
    description: str
    cause: str
    expected: str
    found: str
    differs: bool
    is_first_difference: bool


@dataclass(frozen=True, slots=True)
class Value:
    """A register's value in one bank. `expected` or `found` is empty where it is not known."""

    bank: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class RegisterView:
    """One register of one platform, or one of its alternatives (`label`). `outcome` is None where nothing was compared."""

    platform: str
    register: str
    label: str
    outcome: Outcome | None
    note: str
    values: tuple[Value, ...]
    bank: str
    compared: bool
    rows: tuple[EventRow, ...]
    left_out: int

    @property
    def differs(self) -> bool:
        return self.outcome is Outcome.MISMATCH

    @property
    def state(self) -> str:
        """The word of the legend."""
        return state_word(self.outcome)


@dataclass(frozen=True, slots=True)
class Block:
    """What is the same on several kinds of machine stands on the page once, under all their names."""

    platforms: tuple[str, ...]
    view: RegisterView


def blocks(views: Sequence[RegisterView]) -> list[Block]:
    """In the order of their first."""
    alike: dict[RegisterView, list[str]] = {}
    for view in views:
        alike.setdefault(replace(view, platform=""), []).append(view.platform)
    return [Block(tuple(platforms), view) for view, platforms in alike.items()]


def state_word(outcome: Outcome | None) -> str:
    return PREDICTED if outcome is None else outcome.value


def register_views(report: RebuildReport) -> list[RegisterView]:
    """Platform by platform, in natural order."""
    measured = report.measurements.platforms if report.measurements is not None else {}
    published = report.published.platforms if report.published is not None else {}
    views = []
    for platform in sorted({*measured, *published}, key=fields.natural):
        found, expected = measured.get(platform, {}), published.get(platform, {})
        for register in sorted({*found, *expected}, key=lambda item: fields.natural(item.name)):
            outcome, note = register_state(report, platform, register)
            views += [
                _view(platform, register, pair, outcome=outcome, note=note)
                for pair in _pairs(expected.get(register), found.get(register))
            ]
    return views


def register_state(report: RebuildReport, platform: str, register: Register) -> tuple[Outcome | None, str]:
    """The worst outcome of a register's checks, and what that says; None where nothing was compared."""
    if report.checklist is None:
        return None, ""
    own = [check for check in report.checklist.checks if _is_of(check, platform, register)]
    for outcome in WORST_FIRST:
        for check in own:
            if check.outcome is outcome:
                return outcome, detail_of(check)
    ignored = [check for check in report.checklist.ignored if _is_of(check, platform, register)]
    return (ignored[0].outcome, detail_of(ignored[0])) if ignored else (None, "")


def _is_of(check: Check, platform: str, register: Register) -> bool:
    subject = check.subject
    return isinstance(subject, RegisterCheck) and (subject.platform, subject.register) == (platform, register)


def _pairs(
    reference: ReferenceRegister | None, found: RegisterValue | None
) -> Iterator[tuple[str, RegisterValue | None, RegisterValue | None]]:
    """(label, expected, found). Of several acceptable values the one with the same label or value, else the first."""
    acceptable = reference.acceptable if reference is not None else ()
    alternatives = found.alternatives if found is not None else ()
    by_label = {item.label: item.register for item in acceptable}
    by_values = {item.register.values or (): item.register for item in acceptable}
    first = acceptable[0].register if acceptable else None
    if not alternatives:
        yield "", (found and by_values.get(found.values or ())) or first, found
    for item in alternatives:
        value = item.register
        yield item.label, by_label.get(item.label) or by_values.get(value.values or ()) or first, value


def _view(
    platform: str,
    register: Register,
    pair: tuple[str, RegisterValue | None, RegisterValue | None],
    *,
    outcome: Outcome | None,
    note: str,
) -> RegisterView:
    label, expected, found = pair
    bank = _common_bank(expected, found)
    rows, left_out = _rows(register, expected, found, bank) if bank is not None else ((), 0)
    missing = found.missing if found is not None and found.values is None else ""
    return RegisterView(
        platform=platform,
        register=register.name,
        label=label,
        outcome=outcome,
        note=note or missing,
        values=tuple(_values(expected, found)),
        bank=bank.value if bank is not None else "",
        compared=expected is not None and bool(expected.events) and found is not None and bool(found.events),
        rows=rows,
        left_out=left_out,
    )


def _values(expected: RegisterValue | None, found: RegisterValue | None) -> Iterator[Value]:
    banks = dict.fromkeys(
        digest.algorithm for side in (expected, found) if side is not None for digest in side.values or ()
    )
    for bank in banks:
        digests = [side.value(bank) if side is not None else None for side in (expected, found)]
        yield Value(bank.value, *("" if digest is None else digest.hex for digest in digests))


def _common_bank(expected: RegisterValue | None, found: RegisterValue | None) -> Algorithm | None:
    sides = [side for side in (found, expected) if side is not None and side.events]
    return next((bank for bank in sides[0].banks if all(bank in side.banks for side in sides)), None) if sides else None


def _rows(
    register: Register, expected: RegisterValue | None, found: RegisterValue | None, bank: Algorithm
) -> tuple[tuple[EventRow, ...], int]:
    """The events of both sides in each other's place, and how many are left out."""
    sides = [side.as_events(register) if side is not None else () for side in (expected, found)]
    left_out = max(0, *(len(events) - _MAX_EVENTS for events in sides))
    wanted, seen = (events[:_MAX_EVENTS] for events in sides)
    compared = bool(wanted and seen)
    pairs = aligned(wanted, seen, bank) if compared else _one_sided(wanted, seen)
    rows: list[EventRow] = []
    parted = False
    for number, (one, other) in enumerate(pairs, start=1):
        row = _row(number, one, other, bank, compared=compared, parted=parted)
        parted |= row.differs
        rows.append(row)
    return tuple(rows), left_out


def _one_sided(wanted: Sequence[Event], seen: Sequence[Event]) -> Iterator[tuple[Event | None, Event | None]]:
    yield from ((event, None) for event in wanted)
    yield from ((None, event) for event in seen)


def _row(
    number: int, wanted: Event | None, seen: Event | None, bank: Algorithm, *, compared: bool, parted: bool
) -> EventRow:
    event = seen or wanted
    assert event is not None  # noqa: S101 - one side always has an event
    expected, found = ("" if side is None else side.digest(bank).hex for side in (wanted, seen))
    differs = compared and expected != found
    return EventRow(
        number=number,
        type=event_type_name(event.event_type),
        description=event.description,
        cause=event.cause,
        expected=expected,
        found=found,
        differs=differs,
        is_first_difference=differs and not parted,
    )
