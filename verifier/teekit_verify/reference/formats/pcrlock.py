"""A component of systemd-pcrlock: events that must be in the logs of their PCRs, in this order; others may stand between them.

systemd (00892afd), src/pcrlock/pcrlock.c: event_log_add_component_file, event_log_match_component_variant. One file is one
variant of a component; digests of the banks that are not appraised here are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from teekit_verify.core.digest import Algorithm
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import Field
from teekit_verify.documents import fields
from teekit_verify.documents.model import AcceptableValue, PredictedEvent, RegisterValue
from teekit_verify.prediction.platforms.qemu import UEFI_VTPM
from teekit_verify.reference.formats.base import STRICT, UNMENTIONED, Format, Source, hex_digest, one_of
from teekit_verify.reference.published import ReferenceValues
from teekit_verify.registers.events import EventType
from teekit_verify.registers.registers import PCR_COUNT, Register, pcr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teekit_verify.core.digest import Digest

NAME = "component of systemd-pcrlock"
_MISSING = "a component of systemd-pcrlock lists the events of one thing alone"
_BANKS = (Algorithm.SHA256, Algorithm.SHA384)


@frozen
class _Digest:
    __pydantic_config__: ClassVar = STRICT
    hashAlg: Literal["sha1", "sha256", "sha384", "sha512"]
    digest: Annotated[str, Field(max_length=128)]


@frozen
class _Record:
    __pydantic_config__: ClassVar = STRICT
    pcr: Annotated[int, Field(ge=0, lt=PCR_COUNT)]
    digests: Annotated[tuple[_Digest, ...], Field(max_length=16), fields.unique(lambda item: item.hashAlg, "algorithm")]


@frozen
class _Fields:
    __pydantic_config__: ClassVar = STRICT
    records: Annotated[tuple[_Record, ...], Field(max_length=1000)]


def _recognises(source: Source) -> bool:
    return isinstance(source.json, dict) and "records" in source.json


def _read(source: Source) -> Sequence[ReferenceValues]:
    found = source.parse(_Fields)
    if not found.records:
        raise source.fail("records", "has none: an empty variant fits every machine")
    events: dict[Register, list[PredictedEvent]] = {}
    for position, record in enumerate(found.records):
        digests = _digests(source, f"records[{position}]", record)
        cause = f"record {position} of the component"
        event = PredictedEvent(EventType.EV_IPL, digests, f"event of PCR {record.pcr}", cause)
        events.setdefault(pcr(record.pcr), []).append(event)
    platform = {
        register: one_of([AcceptableValue(NAME, RegisterValue(None, _MISSING, tuple(of_register)))])
        for register, of_register in events.items()
    }
    return (ReferenceValues(NAME, {UEFI_VTPM.name: platform}, unmentioned=UNMENTIONED),)


def _digests(source: Source, where: str, record: _Record) -> tuple[Digest, ...]:
    """Of the banks SHA-256 and SHA-384, both of which systemd writes."""
    found = {}
    for item in record.digests:
        try:
            found[Algorithm(item.hashAlg)] = hex_digest(Algorithm(item.hashAlg), item.digest)
        except ValueError as error:
            raise source.fail(f"{where}.digests", str(error)) from error
    if not all(bank in found for bank in _BANKS):
        raise source.fail(f"{where}.digests", "lacks sha256 or sha384")
    return tuple(found[bank] for bank in _BANKS)


FORMAT = Format("systemd-pcrlock component", _recognises, _read)
