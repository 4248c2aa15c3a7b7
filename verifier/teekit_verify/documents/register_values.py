"""What a register holds after boot, as documents have it: a value for each bank, the events that lead there, or several acceptable ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import AfterValidator, ConfigDict, Field
from teekit_verify.documents import fields
from teekit_verify.registers.events import Event
from teekit_verify.registers.registers import Register
from teekit_verify.registers.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_STRICT = ConfigDict(extra="forbid", strict=True)


@frozen
class PredictedEvent:
    """An `Event` as it stands in a document, under its register: one digest for each bank, in words what and where from."""

    __pydantic_config__: ClassVar = _STRICT
    type: fields.EventTypeName
    digests: fields.BankDigests
    description: fields.Text
    cause: fields.Text

    def digest(self, bank: Algorithm) -> Digest | None:
        """The digest in this bank, None if the event has none."""
        return next((digest for digest in self.digests if digest.algorithm is bank), None)


@frozen
class RegisterValue:
    """What one register holds after boot: one value for each bank, and the events that lead there.

    `values` is None when the register cannot be known from the artifact alone; `missing` then says why, and `events` are
    those that are known, in order. Otherwise `missing` is empty, and the events replay to the values (or there are none:
    a value published without its log).

    `alternatives` (of measurements only): the register holds one of these, and what decides is not known. Then `values` is
    None and `events` is empty.
    """

    __pydantic_config__: ClassVar = _STRICT
    values: fields.BankDigests | None
    missing: fields.Text
    events: Annotated[tuple[PredictedEvent, ...], Field(max_length=1000)]
    alternatives: Alternatives = ()

    def value(self, bank: Algorithm) -> Digest | None:
        """The value in this bank, None if it is not known."""
        return next((digest for digest in self.values or () if digest.algorithm is bank), None)

    @property
    def banks(self) -> tuple[Algorithm, ...]:
        """The banks this says something about: those of the values, else those of the events."""
        digests = self.values or (self.events[0].digests if self.events else ())
        return tuple(digest.algorithm for digest in digests)

    def as_events(self, register: Register) -> tuple[Event, ...]:
        """The events as measured ones, which can be replayed and aligned; their data is not in a document."""
        return tuple(
            Event(register, event.type, event.digests, event.description, event.cause) for event in self.events
        )


def register_value(register: Register, events: Sequence[Event], *, missing: str = "") -> RegisterValue:
    """One register of a prediction. `events` are those of `register`, in order; `missing` says why they are not all of them."""
    predicted = tuple(
        PredictedEvent(
            event.event_type,
            tuple(event.digest(bank) for bank in register.algorithms),
            event.description,
            event.cause,
        )
        for event in events
    )
    values = tuple(replay(events, bank).get(register, Digest.zero(bank)) for bank in register.algorithms)
    return RegisterValue(None if missing else values, missing, predicted)


def _consistent(register: RegisterValue) -> RegisterValue:
    """A document whose log does not lead to its value would explain a difference wrongly: it is refused."""
    if (register.values is None) != bool(register.missing):
        raise ValueError("either 'values' is given or 'missing' says why it is not")
    for position, event in enumerate(register.events):
        if tuple(digest.algorithm for digest in event.digests) != register.banks:
            raise ValueError(f"event {position} has other banks than the register")
    for value in register.values or ():
        if register.events and _replayed(register, value.algorithm) != value:
            raise ValueError(f"the events do not replay to the {value.algorithm.value} value")
    if register.alternatives and (register.values is not None or register.events):
        raise ValueError("a register with 'alternatives' has neither 'values' nor 'events' of its own")
    if any(item.register.alternatives for item in register.alternatives):
        raise ValueError("an alternative has alternatives itself")
    return register


def _replayed(register: RegisterValue, bank: Algorithm) -> Digest:
    some_register = Register("PCR0")  # the value does not depend on which
    return replay(register.as_events(some_register), bank).get(some_register, Digest.zero(bank))


CheckedRegisterValue = Annotated[RegisterValue, AfterValidator(_consistent), fields.left_out_if_empty("alternatives")]


@frozen
class AcceptableValue:
    """One value a register may hold. `label` tells it from the others: "firmware of 2026-03, PCI device 4", say.

    `groups` names the sets of values that it belongs to, "firmware of 2026-03". The values of a platform's registers hold
    together only if one group has them all; a value without groups is in every one.
    """

    __pydantic_config__: ClassVar = _STRICT
    label: fields.Name
    register: CheckedRegisterValue
    groups: Annotated[
        tuple[fields.Name, ...], Field(max_length=fields.MAX_GROUPS), fields.unique(lambda name: name, "group")
    ] = ()


Alternatives = Annotated[
    tuple[Annotated[AcceptableValue, fields.left_out_if_empty("groups")], ...],
    Field(max_length=1000),
    fields.unique(lambda value: value.label, "label"),
]


def few_groups(values_of: Callable[[Any], Alternatives]) -> AfterValidator:
    """For registers by name, of a reference or of measurements: they have at most MAX_GROUPS groups of values together."""

    def check(registers: dict[Register, Any]) -> dict[Register, Any]:
        names = {name for item in registers.values() for value in values_of(item) for name in value.groups}
        if len(names) > fields.MAX_GROUPS:
            raise ValueError(f"has {len(names)} groups of values, more than {fields.MAX_GROUPS}")
        return registers

    return AfterValidator(check)
