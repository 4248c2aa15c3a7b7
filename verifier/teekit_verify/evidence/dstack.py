"""The event log of a dstack guest in its JSON form, with the runtime events that extend RTMR3.

Form and formulas: Dstack-TEE/dstack, cc-eventlog/src/{tdx,runtime_events}.rs (read at 1988d17e and 8e9c13cd). A log is a
list of events {imr, event_type, digest, event, event_payload}, alone or as text in the field `event_log` of an answer.
The digest of a runtime event may be left out: it follows from the event's name and payload.
"""

from __future__ import annotations

import json

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, TeekitError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.describe import DSTACK_RUNTIME_EVENT, describe
from teekit_verify.evidence.eventlog import EventLog, LogKind
from teekit_verify.evidence.plain_json import parse_json
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import RTMR_COUNT, rtmr

_WHAT = "dstack event log"
_MAX_EVENTS = 10_000
_MAX_VERSION = 2
_SHOWN_CHARACTERS = 80
_SHOWN_PAYLOAD_BYTES = 48
_ALGORITHM = Algorithm.SHA384
_RUNTIME_REGISTER = rtmr(RTMR_COUNT - 1)
_MAX_ACPI_EVENTS = 4


def runtime_digest(name: str, payload: bytes, version: int = 1) -> Digest:
    """What a runtime event extends. Raises TeekitError for a version that is not known."""
    return Digest.of(_ALGORITHM, runtime_message(name, payload, version))


def runtime_message(name: str, payload: bytes, version: int = 1) -> bytes:
    """What is hashed. Version 1: type as u32, ':', name, ':', payload. Version 2: canonical JSON (RFC 8785).

    Raises TeekitError for another version.
    """
    if version == 1:
        return b":".join((DSTACK_RUNTIME_EVENT.to_bytes(4, "little"), name.encode(), payload))
    if version == 2:  # noqa: PLR2004
        fields = {"name": name, "payload": payload.hex(), "type": DSTACK_RUNTIME_EVENT}
        # in order of their names and without white space: for texts and small numbers this is RFC 8785
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode()
    raise TeekitError(f"the digest of runtime events of version {version} is not known")


def parse_dstack_log(data: bytes) -> EventLog:
    """Parse the JSON. Raises MalformedInputError naming the event (from 0) and its field; offsets are those in the text."""
    document = parse_json(data, _WHAT)
    if isinstance(document, dict):
        document = document.get("event_log")
        if isinstance(document, str):
            document = parse_json(document.encode("utf-8", "surrogatepass"), _WHAT)
    return dstack_log(document, len(data))


def dstack_log(document: object, size_bytes: int) -> EventLog:
    """The list of events as JSON, MessagePack and SCALE have it. Raises as `parse_dstack_log` does."""
    if not isinstance(document, list) or not document:
        raise _error("event_log", "expected a list of events")
    if len(document) > _MAX_EVENTS:
        raise _error("event_log", f"more than {_MAX_EVENTS} events")
    events = tuple(_event(_Fields(fields, number)) for number, fields in enumerate(document))
    stripped = _is_stripped(events)
    events = tuple(event for event in events if event.register == _RUNTIME_REGISTER) if stripped else events
    return EventLog(
        LogKind.CCEL, (_ALGORITHM,), events, size_bytes, has_runtime_events=True, has_boot_events=not stripped
    )


def _is_stripped(events: tuple[Event, ...]) -> bool:
    """Attestations leave the boot out, but for the digests of the ACPI data (dstack-attest/src/v1.rs, strip_tdx_lite_event_log)."""
    boot = [event for event in events if event.register != _RUNTIME_REGISTER]
    acpi = all(event.register == rtmr(0) and event.event_type == EventType.EV_PLATFORM_CONFIG_FLAGS for event in boot)
    return acpi and len(boot) <= _MAX_ACPI_EVENTS and len(boot) < len(events)


def _error(field: str, problem: str) -> MalformedInputError:
    return MalformedInputError(_WHAT, field=field, offset=0, problem=problem)


@frozen
class _Fields:
    """One event's fields, asked for by name and kind."""

    fields: object
    number: int

    def get(self, name: str) -> object:
        return self.fields.get(name) if isinstance(self.fields, dict) else None

    def fail(self, name: str, problem: str) -> MalformedInputError:
        return _error(f"event {self.number}: {name}", problem)

    def integer(self, name: str, limit: int) -> int:
        value = self.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < limit:
            raise self.fail(name, f"expected a number from 0 to {limit - 1}, found {printable(repr(value)[:40])}")
        return value

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str):
            raise self.fail(name, f"expected text, found {printable(repr(value)[:40])}")
        return value

    def data(self, name: str) -> bytes:
        value = self.get(name)
        if isinstance(value, bytes):
            return value
        if isinstance(value, list) and all(type(item) is int and 0 <= item <= 0xFF for item in value):  # noqa: PLR2004
            return bytes(value)
        try:
            return bytes.fromhex(self.text(name).removeprefix("0x"))
        except ValueError as error:
            raise self.fail(name, "is not hexadecimal") from error


def _event(fields: _Fields) -> Event:
    register = rtmr(fields.integer("imr", RTMR_COUNT))
    event_type = fields.integer("event_type", 1 << 32)
    payload = fields.data("event_payload")
    stated = fields.data("digest") if fields.get("digest") is not None else b""
    if event_type == DSTACK_RUNTIME_EVENT:  # its digest may be left out
        digest, words, payload = _runtime_event(fields, payload, stated)
    elif len(stated) == _ALGORITHM.size_bytes:
        digest, words = Digest(_ALGORITHM, stated), describe(event_type, payload)
    else:
        raise fields.fail("digest", f"expected {_ALGORITHM.size_bytes} bytes, found {len(stated)}")
    return Event(register, event_type, (digest,), words, data=payload)


def _runtime_event(fields: _Fields, payload: bytes, stated: bytes) -> tuple[Digest, str, bytes]:
    """The digest, words, and what is hashed, as it stands in a binary log.

    What is shown of an event is what its digest covers, or the words say that it is not.
    """
    name = fields.text("event")
    version = 1 if fields.get("version") is None else fields.integer("version", _MAX_VERSION + 1)
    try:
        message = runtime_message(name, payload, version)
    except (UnicodeEncodeError, TeekitError) as error:
        problem = error.message if isinstance(error, TeekitError) else "its name is not Unicode text"
        raise fields.fail("event", problem) from error
    if stated and len(stated) != _ALGORITHM.size_bytes:
        raise fields.fail("digest", f"expected {_ALGORITHM.size_bytes} bytes, found {len(stated)}")
    digest = Digest.of(_ALGORITHM, message)
    if stated and stated != digest.value:
        return Digest(_ALGORITHM, stated), "runtime event whose name and payload do not give its digest", message
    return digest, f"runtime event {printable(name)[:_SHOWN_CHARACTERS]}: {_shown(payload)}", message


def _shown(payload: bytes) -> str:
    text = payload[:_SHOWN_PAYLOAD_BYTES].hex()
    return text + ("..." if len(payload) > _SHOWN_PAYLOAD_BYTES else "") if payload else "no payload"
