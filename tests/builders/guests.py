"""References as a publisher would have them who knows a recorded guest: its quote's registers, and the events of its log."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from builders import documents as sample
from builders import eventlog, quotes
from teekit_verify.documents import model
from teekit_verify.documents.create import dump_reference
from teekit_verify.evidence.dstack import parse_dstack_log
from teekit_verify.evidence.eventlog import EventLog, parse_event_log
from teekit_verify.evidence.quote import Quote, read_quote
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import MRTD, Register, rtmr
from teekit_verify.registers.replay import replay

Registers = dict[Register, model.ReferenceRegister]
COS_LOG = eventlog.ASSETS / "gcp-cos113-ccel-data.bin"
COS_QUOTE = quotes.REAL["cos"]
DSTACK = eventlog.ASSETS / "dstack-quote-report.json"


@cache
def cos() -> tuple[Quote, EventLog]:
    """A c3-standard-4 of Google Cloud."""
    return read_quote(COS_QUOTE), parse_event_log(COS_LOG.read_bytes())


@cache
def dstack() -> tuple[Quote, EventLog]:
    """A guest of QEMU."""
    return read_quote(DSTACK), parse_dstack_log(DSTACK.read_bytes())


def published(quote: Quote, log: EventLog) -> Registers:
    """Every register of the quote, with its events; what is in the log alone has no cause."""
    return {register: match(quote, register, log) for register in (MRTD, *map(rtmr, range(4)))}


def match(quote: Quote, register: Register, log: EventLog) -> model.ReferenceRegister:
    return only(model.RegisterValue((quote.report.value(register),), "", _events(log, register)))


def only(value: model.RegisterValue) -> model.ReferenceRegister:
    return model.ReferenceRegister(model.Policy.MATCH, "", (model.AcceptableValue("recorded", value),))


def register_value(log: EventLog, register: Register) -> model.RegisterValue:
    """What the log leads to, in the banks that documents have."""
    events = tuple(
        replace(event, digests=tuple(digest for digest in event.digests if digest.algorithm in register.algorithms))
        for event in _events(log, register)
    )
    values = tuple(replay(log.events, bank)[register] for bank in register.algorithms)
    return model.RegisterValue(values, "", events)


def _events(log: EventLog, register: Register) -> tuple[model.PredictedEvent, ...]:
    return tuple(_predicted(event) for event in log.events if event.register == register and _extends(event))


def _extends(event: Event) -> bool:
    return event.event_type != EventType.EV_NO_ACTION


def _predicted(event: Event) -> model.PredictedEvent:
    return model.PredictedEvent(event.event_type, event.digests, event.description, "recorded guest")


def ignored(reason: str) -> model.ReferenceRegister:
    return model.ReferenceRegister(model.Policy.IGNORE, reason, ())


def reference(**platforms: Registers) -> bytes:
    """A reference file; `gcp_c3` stands for `gcp/c3`."""
    named = {name.replace("_", "/"): registers for name, registers in platforms.items()}
    return dump_reference(replace(sample.reference(), platforms=named))


def with_event(registers: Registers, register: Register, position: int, event: model.PredictedEvent) -> Registers:
    """Another boot: one event of one register is another (`position` counts from 0), and the value follows from it."""
    (value,) = registers[register].acceptable
    events = list(value.register.events)
    events[position] = event
    other = sample.complete(*(replace(item, digests=item.digests * 2) for item in events))
    changed = model.RegisterValue(other.values[1:] if other.values else None, "", tuple(events))
    new = model.ReferenceRegister(model.Policy.MATCH, "", (model.AcceptableValue("other", changed),))
    return {**registers, register: new}
