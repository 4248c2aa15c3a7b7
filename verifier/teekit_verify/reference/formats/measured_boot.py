"""What `measured-boot-precalc` writes: PCRs of a UKI in the SHA-256 bank, with the events that lead there.

flashbots/measured-boot (ceeb7afa, a fork of Edgeless Systems'), measure/pcr.go, Simulator. It starts with seven PCRs at zero
and extends three of them: the others are expected as they are after a reset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import Field
from teekit_verify.documents import fields
from teekit_verify.documents.model import AcceptableValue, PredictedEvent, RegisterValue
from teekit_verify.prediction.platforms.azure import AZURE
from teekit_verify.reference.formats.base import STRICT, UNMENTIONED, Format, HexSha256, Source, one_of
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import PCR_COUNT, Register, pcr
from teekit_verify.registers.replay import replay

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "measured-boot"
_Index = Annotated[int, Field(ge=0, lt=PCR_COUNT)]


@frozen
class _Expected:
    __pydantic_config__: ClassVar = STRICT
    expected: HexSha256


@frozen
class _Event:
    """`Data` is what was measured, in Base64."""

    __pydantic_config__: ClassVar = STRICT
    PCRIndex: _Index
    Digest: HexSha256
    Description: fields.Text
    Data: str | None = None


@frozen
class _EventLog:
    __pydantic_config__: ClassVar = STRICT
    Events: Annotated[tuple[_Event, ...], Field(max_length=1000)]


@frozen
class _Fields:
    __pydantic_config__: ClassVar = STRICT
    measurements: Annotated[
        dict[Annotated[str, Field(pattern="^([0-9]|1[0-9]|2[0-3])$")], _Expected], Field(min_length=1)
    ]
    EventLog: _EventLog | None = None


def _recognises(source: Source) -> bool:
    fields_found = source.json if isinstance(source.json, dict) else {}
    return "measurements" in fields_found and not fields_found.keys() & {"attestation_type", "schema"}


def _read(source: Source) -> Sequence[ReferenceValues]:
    found = source.parse(_Fields)
    events = found.EventLog.Events if found.EventLog is not None else ()
    for event in events:
        if str(event.PCRIndex) not in found.measurements:
            raise source.fail("EventLog", f"has an event of PCR {event.PCRIndex}, which 'measurements' does not have")
    platform = {}
    for index, entry in sorted(found.measurements.items(), key=lambda item: int(item[0])):
        register = pcr(int(index))
        value = _value(entry.expected, [event for event in events if event.PCRIndex == register.index])
        if value.events and _replayed(register, value) != entry.expected:
            raise source.fail(f"measurements.{index}", "the events of 'EventLog' do not replay to this value")
        platform[register] = one_of([AcceptableValue(NAME, value)])
    return (ReferenceValues("image of a measured-boot file", {AZURE.name: platform}, unmentioned=UNMENTIONED),)


def _value(expected: Digest, events: Sequence[_Event]) -> RegisterValue:
    return RegisterValue((expected,), "", tuple(map(_predicted, events)))


def _predicted(event: _Event) -> PredictedEvent:
    """Descriptions begin with the event's type (`EV_IPL: ...`), but for those of boot stages."""
    name, _, description = event.Description.partition(": ")
    if name in EventType.__members__:
        return PredictedEvent(EventType[name], (event.Digest,), description or name, "")
    return PredictedEvent(EventType.EV_EFI_BOOT_SERVICES_APPLICATION, (event.Digest,), event.Description, "")


def _replayed(register: Register, value: RegisterValue) -> Digest | None:
    return replay(value.as_events(register), Algorithm.SHA256).get(register)


FORMAT = Format("measured-boot JSON (PCRs with 'expected')", _recognises, _read)
