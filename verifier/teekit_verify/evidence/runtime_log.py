"""The log of what a guest was given to run, as it measures it into RTMR3 and PCR 15 (docs/app-identity.md).

A JSON text sequence (RFC 7464) of records of the TCG's canonical event log, as systemd-pcrextend writes them. Nothing of a record is passed
over: a field, a register or a kind of content that the format does not have is an error. Whether digests are those of their contents,
`event_text` says, and whether the log leads to what was quoted, the appraisal.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, TeekitError
from teekit_verify.core.files import read_bounded
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.describe import describe
from teekit_verify.evidence.eventlog import EventLog, LogKind
from teekit_verify.evidence.plain_json import parse_json
from teekit_verify.registers.events import Event
from teekit_verify.registers.measured import MEASURED_EVENT, TD_REGISTER, TPM_REGISTER, hashed_bytes
from teekit_verify.registers.registers import RegisterKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from teekit_verify.registers.registers import Register

MAX_LOG_BYTES = 4 << 20
_WHAT = "runtime log"
_SEPARATOR = b"\x1e"
_MAX_RECORDS, _MAX_KIND_CHARACTERS = 1000, 32
_CONTENT_TYPE = "teekit"
_PLACES = {"rtmr": TD_REGISTER, "pcr": TPM_REGISTER}
_FIELDS = frozenset({"recnum", "digests", "content_type", "content"})
_BANKS = {algorithm.value: algorithm for algorithm in Algorithm}
_NOT_REPLAYED = "sha1"
"""A TPM may have this bank as well; SHA-1 proves nothing."""
_LOG_KINDS = {RegisterKind.RTMR: LogKind.CCEL, RegisterKind.PCR: LogKind.TPM}


@frozen
class RuntimeLog:
    """Events of RTMR3 and of PCR 15, each in the order in which they were measured."""

    events: tuple[Event, ...]
    size_bytes: int

    def of(self, register: Register) -> tuple[Event, ...]:
        return tuple(event for event in self.events if event.register == register)

    def telling(self, register: Register) -> tuple[Event, ...] | None:
        """The events of a register; where it has none those of the other, which measures the same. None if there is none at all.

        A machine without TDX has a TPM's only, and dummy quotes say what a TD would have measured.
        """
        return self.of(register) or self.events or None

    @property
    def logs(self) -> tuple[EventLog, ...]:
        """One for each register that it has events of, as other logs are. Raises MalformedInputError if there is none."""
        found = tuple(self._log(register) for register in (TD_REGISTER, TPM_REGISTER) if self.of(register))
        if not found:
            raise _error("records", "there is none: this machine measured nothing")
        return found

    def _log(self, register: Register) -> EventLog:
        events = self.of(register)
        banks = set.intersection(*({digest.algorithm for digest in event.digests} for event in events))
        if not banks:
            raise _error("digests", f"there is no bank in which every event of {register} has a digest")
        algorithms = tuple(algorithm for algorithm in Algorithm if algorithm in banks)
        kind = _LOG_KINDS[register.kind]
        return EventLog(kind, algorithms, events, self.size_bytes, has_runtime_events=True, has_boot_events=False)


def is_runtime_log(document: object) -> bool:
    """Whether a list of records is one of this kind."""
    records = document if isinstance(document, list) else [document]
    return any(isinstance(record, dict) and record.get("content_type") == _CONTENT_TYPE for record in records)


def read_runtime_log(path: Path) -> RuntimeLog:
    """Raises TeekitError."""
    return parse_runtime_log(read_bounded(path, MAX_LOG_BYTES, "a runtime log"))


def parse_runtime_log(data: bytes) -> RuntimeLog:
    """Empty where nothing was measured. Raises MalformedInputError that names the record."""
    if len(data) > MAX_LOG_BYTES:
        raise _error("size", f"expected at most {MAX_LOG_BYTES} bytes, found {len(data)}")
    head, *texts = data.split(_SEPARATOR)
    if head.strip():
        raise _error("start", "expected the separator 0x1e before each record")
    if len(texts) > _MAX_RECORDS:
        raise _error("records", f"expected at most {_MAX_RECORDS}, found {len(texts)}")
    return parse_records([parse_json(text, f"{_WHAT}, record {n}") for n, text in enumerate(texts)], len(data))


def parse_records(records: Sequence[object], size_bytes: int) -> RuntimeLog:
    """Likewise of records that were read already."""
    counts = dict.fromkeys(_PLACES.values(), 0)
    events = []
    for position, record in enumerate(records):
        event, number = _record(record, f"record {position}")
        if number != counts[event.register]:
            problem = f"expected {counts[event.register]} in {event.register}, found {number}"
            raise _error(f"record {position}: recnum", problem)
        counts[event.register] += 1
        events.append(event)
    return RuntimeLog(tuple(events), size_bytes)


def _error(field: str, problem: str) -> MalformedInputError:
    return MalformedInputError(_WHAT, field=field, offset=0, problem=problem, hint="Give the guest's log as it is.")


def _record(record: object, where: str) -> tuple[Event, int]:
    if not isinstance(record, dict):
        raise _error(where, "expected an object")
    places = [name for name in _PLACES if name in record]
    if len(places) != 1 or set(record) != _FIELDS | set(places) or record["content_type"] != _CONTENT_TYPE:
        raise _error(where, "its fields are not those of an event of this format")
    register, number = _PLACES[places[0]], record["recnum"]
    if type(record[places[0]]) is not int or record[places[0]] != register.index or type(number) is not int:
        raise _error(where, f"expected {places[0]} {register.index}, and a number")
    data = _hashed(record["content"], where)
    digests = _digests(record["digests"], where)
    return Event(register, MEASURED_EVENT, digests, describe(MEASURED_EVENT, data), data=data), number


def _hashed(content: object, where: str) -> bytes:
    if not isinstance(content, dict) or set(content) != {"type", "bytes"}:
        raise _error(f"{where}: content", "expected an object with the fields type and bytes")
    kind, text = content["type"], content["bytes"]
    if not isinstance(kind, str) or not (kind.isascii() and kind.isalpha() and len(kind) <= _MAX_KIND_CHARACTERS):
        raise _error(f"{where}: content.type", f"expected at most {_MAX_KIND_CHARACTERS} letters")
    try:
        return hashed_bytes(kind, base64.b64decode(text, validate=True) if isinstance(text, str) else _no_text())
    except (binascii.Error, ValueError) as error:
        raise _error(f"{where}: content.bytes", "is not base64") from error


def _no_text() -> bytes:
    raise ValueError("no text")


def _digests(value: object, where: str) -> tuple[Digest, ...]:
    found: dict[Algorithm, Digest] = {}
    try:
        for item in value if isinstance(value, list) else []:
            if item["hashAlg"] == _NOT_REPLAYED:
                continue
            algorithm = _BANKS[item["hashAlg"]]
            if set(item) != {"hashAlg", "digest"} or algorithm in found:
                raise _error(f"{where}: digests", "a bank occurs twice, or has other fields")
            found[algorithm] = Digest.from_hex(algorithm, item["digest"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _error(f"{where}: digests", "expected algorithms and digests in hexadecimal") from error
    except TeekitError as error:
        raise _error(f"{where}: digests", error.message) from error
    if not found:
        raise _error(f"{where}: digests", "there is none")
    return tuple(found.values())
