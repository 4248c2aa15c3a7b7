"""What became of one register between two publications: its acceptable values, and the events that moved.

Rules. Values tell whether a register moved; events tell why, where both sides have them. Values are paired by their labels, those
that are left in their order.
Non-rules: nothing is right or wrong here, there is no verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.appraisal.event_differences import event_differences
from teekit_verify.appraisal.facts import EventDifference  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.documents import fields  # noqa: TC001
from teekit_verify.documents.model import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.core.digest import Algorithm, Digest
    from teekit_verify.documents.model import AcceptableValue, ReferenceRegister
    from teekit_verify.registers.registers import Register

    Key = tuple[Digest, ...]


class State(Enum):
    """What became of a register. The value is for programs.

    MOVED: no acceptable value is left. VALUES: some are, others came or went. GROUPS: the values are the same, and belong together
    in another way. POLICY: asked for by one side, ignored by the other. OPEN: one side does not know the value. BANKS: equal in the
    banks that both sides have, and one has more. UNMENTIONED: the format of one side cannot write out what it ignores.
    """

    SAME = "same"
    IGNORED = "ignored"
    MOVED = "moved"
    VALUES = "values"
    GROUPS = "groups"
    POLICY = "policy"
    NEW = "new"
    GONE = "gone"
    OPEN = "open"
    BANKS = "banks"
    UNMENTIONED = "unmentioned"


DIFFERENT = frozenset({State.MOVED, State.VALUES, State.GROUPS, State.POLICY, State.NEW, State.GONE})
UNDECIDED = frozenset({State.OPEN, State.BANKS, State.UNMENTIONED})


@dataclass(frozen=True, slots=True)
class ValueMove:
    """An acceptable value that only the old side has, and the one in its place; a label is None where there is none.

    `old` and `new` are digests in hexadecimal in `bank`, empty where the value is not known. `events` is empty where one side has no log.
    """

    old_label: str | None
    new_label: str | None
    bank: str
    old: str
    new: str
    events: tuple[EventDifference, ...]


@dataclass(frozen=True, slots=True)
class RegisterChange:
    """`image` is the name of the image in a file with several, else empty. `causes` are what the events that moved come from."""

    image: str
    platform: str
    register: fields.RegisterName
    state: State
    identical: bool
    moves: tuple[ValueMove, ...]
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Whose register it is; `silent` where the old or new format cannot write out what it ignores."""

    image: str
    platform: str
    register: Register
    silent: tuple[bool, bool] = (False, False)


def compare(place: Place, old: ReferenceRegister | None, new: ReferenceRegister | None) -> RegisterChange:
    """None is a side that does not mention the register."""
    moves = () if old is None or new is None else tuple(_moves(place, old.acceptable, new.acceptable))
    causes = dict.fromkeys(one.cause for move in moves for one in move.events if one.cause)
    state = _state(place, old, new)
    return RegisterChange(place.image, place.platform, place.register, state, old == new, moves, tuple(causes))


def _state(place: Place, old: ReferenceRegister | None, new: ReferenceRegister | None) -> State:
    if old is None or new is None:
        return _one_sided(place, old, new)
    ignored = [side.policy is Policy.IGNORE for side in (old, new)]
    if any(ignored):
        return State.IGNORED if all(ignored) else State.POLICY
    if any(value.register.values is None for value in (*old.acceptable, *new.acceptable)):
        return _open(old.acceptable, new.acceptable)
    return _known(old.acceptable, new.acceptable)


def _one_sided(place: Place, old: ReferenceRegister | None, new: ReferenceRegister | None) -> State:
    there = old or new
    if place.silent[old is not None]:  # of the side that does not mention it
        return State.IGNORED if there is not None and there.policy is Policy.IGNORE else State.UNMENTIONED
    return State.NEW if old is None else State.GONE


def _open(old: Sequence[AcceptableValue], new: Sequence[AcceptableValue]) -> State:
    """Known events that differ move a register, whatever its value is: as an artifact's would against a reference."""
    if len(old) == len(new) == 1 and old[0].register.values is None and new[0].register.values is None:
        one, other = old[0].register, new[0].register
        if one.banks == other.banks and [e.digests for e in one.events] != [e.digests for e in other.events]:
            return State.MOVED
    return State.OPEN


def _known(old: Sequence[AcceptableValue], new: Sequence[AcceptableValue]) -> State:
    banks = _common_banks(old, new)
    if not banks:
        return State.OPEN
    before, after = _grouped(old, banks), _grouped(new, banks)
    keys = {key for key, _ in before}, {key for key, _ in after}
    if not keys[0] & keys[1]:
        return State.MOVED
    if keys[0] != keys[1]:
        return State.VALUES
    if before != after:
        return State.GROUPS
    all_banks = {value.register.banks for value in (*old, *new)}
    return State.SAME if len(all_banks) == 1 else State.BANKS


def _common_banks(old: Sequence[AcceptableValue], new: Sequence[AcceptableValue]) -> tuple[Algorithm, ...]:
    sides = [set(value.register.banks) for value in (*old, *new)]
    return tuple(sorted(set.intersection(*sides), key=lambda bank: bank.value)) if sides else ()


def _grouped(values: Sequence[AcceptableValue], banks: Sequence[Algorithm]) -> set[tuple[Key, frozenset[str]]]:
    return {(_key(value, banks), frozenset(value.groups)) for value in values}


def _key(value: AcceptableValue, banks: Sequence[Algorithm]) -> Key:
    return tuple(digest for bank in banks if (digest := value.register.value(bank)) is not None)


def _moves(place: Place, old: Sequence[AcceptableValue], new: Sequence[AcceptableValue]) -> Iterator[ValueMove]:
    banks = _common_banks(old, new)
    if not banks:
        return
    before, after = ([(_key(value, banks), value) for value in side] for side in (old, new))
    left = [value for key, value in before if not key or key not in [other for other, _ in after]]
    right = [value for key, value in after if not key or key not in [other for other, _ in before]]
    for one, other in _paired(left, right):
        move = _move(place, one, other, banks[0])
        if move.events or move.old != move.new or one is None or other is None:
            yield move


def _paired(
    old: Sequence[AcceptableValue], new: Sequence[AcceptableValue]
) -> Iterator[tuple[AcceptableValue | None, AcceptableValue | None]]:
    """By label, the others in their order."""
    labels = [value.label for value in old], [value.label for value in new]
    by_label = {value.label: value for value in new}
    for value in old:
        if value.label in labels[1]:
            yield value, by_label[value.label]
    left = [value for value in old if value.label not in labels[1]]
    right = [value for value in new if value.label not in labels[0]]
    common = min(len(left), len(right))
    yield from zip(left[:common], right[:common], strict=True)
    yield from ((value, None) for value in left[common:])
    yield from ((None, value) for value in right[common:])


def _move(place: Place, old: AcceptableValue | None, new: AcceptableValue | None, bank: Algorithm) -> ValueMove:
    events: tuple[EventDifference, ...] = ()
    if old is not None and new is not None and old.register.events and new.register.events:
        one, other = (side.register.as_events(place.register) for side in (old, new))
        events = event_differences(place.platform, bank, one, other)
    return ValueMove(
        None if old is None else old.label,
        None if new is None else new.label,
        bank.value,
        _hex(old, bank),
        _hex(new, bank),
        events,
    )


def _hex(value: AcceptableValue | None, bank: Algorithm) -> str:
    digest = None if value is None else value.register.value(bank)
    return "" if digest is None else digest.hex
