"""Canonical event logs (TCG CEL 1.0): in JSON, as systemd (tpm2-measure.log) and pcrlock write them; in TLV, as Google's launcher does.

TLV: a byte of type, u32 length (big-endian), value; a record is its number, register, digests and content, one after the other
(google/go-eventlog, cel; google/go-tpm-tools, cel/cos_tlv.go). What systemd measures is the text in `content.string`
(src/shared/tpm2-util.c, tpm2_userspace_log), of a COS event the whole content TLV.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, TeekitError, printable
from teekit_verify.evidence.describe import CEL_OTHER_EVENT, CEL_TEXT_EVENT, COS_EVENT, describe
from teekit_verify.evidence.eventlog import EventLog, LogKind
from teekit_verify.registers.events import Event, EventType
from teekit_verify.registers.registers import from_cc_mr_index, pcr

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from teekit_verify.registers.registers import Register

_WHAT = "canonical event log"
_NUMBER, _PCR, _DIGESTS, _CC_REGISTER, _COS = 0, 1, 3, 108, 80
_NUMBER_BYTES = 8
_MAX_RECORDS = 100_000
_MEASURED_AS_TEXT = frozenset({"phase", "filesystem", "machine-id", "product-id"})
"""`eventType` of systemd's log: of a volume's key, the digest is an HMAC with that key."""
_BY_TCG_ID = {algorithm.tcg_id: algorithm for algorithm in Algorithm}
_BY_NAME = {algorithm.value: algorithm for algorithm in Algorithm} | {"sm3_256": Algorithm.SM3}
_TYPES = {item.name: item.value for item in EventType}


def is_cel_tlv(data: bytes) -> bool:
    """Whether this begins with a record's number, 0, and its register."""
    start = bytes((_NUMBER,)) + struct.pack(">I", _NUMBER_BYTES)
    return data.startswith(start) and data[len(start) + _NUMBER_BYTES :][:1] in {bytes((_PCR,)), bytes((_CC_REGISTER,))}


def is_cel_json(document: object) -> bool:
    """Whether this is a list of records, or one."""
    first = document[0] if isinstance(document, list) and document else document
    return (
        isinstance(first, dict)
        and "digests" in first
        and not {"pcr", "rtmr", "nv_index", "nvIndexName"}.isdisjoint(first)
    )


def parse_cel_tlv(data: bytes) -> EventLog:
    """Raises MalformedInputError."""
    reader = Reader(memoryview(data), _WHAT)
    records: list[tuple[LogKind, Event]] = []
    while reader.remaining:
        if len(records) == _MAX_RECORDS:
            raise reader.fail("records", f"more than {_MAX_RECORDS}")
        records.append(_record(reader))
    kinds = {kind for kind, _ in records}
    if len(kinds) != 1:
        raise reader.fail("records", "expected registers of one kind")
    return _log(kinds.pop(), tuple(event for _, event in records), len(data))


def _record(reader: Reader) -> tuple[LogKind, Event]:
    kind, _ = _tlv(reader)
    if kind != _NUMBER:
        raise reader.fail("record number", f"expected a field of type {_NUMBER}, found {kind}")
    kind, value = _tlv(reader)
    if kind not in {_PCR, _CC_REGISTER} or len(value) != 1:
        raise reader.fail("register", f"expected one byte of type {_PCR} or {_CC_REGISTER}")
    register = _register(reader, kind, value[0])
    kind, value = _tlv(reader)
    if kind != _DIGESTS:
        raise reader.fail("digests", f"expected a field of type {_DIGESTS}, found {kind}")
    digests, start = _digests(value), reader.position
    kind, value = _tlv(reader)
    data = bytes(reader.data[start : reader.position])
    event_type, words = (COS_EVENT, _cos_words(value)) if kind == _COS else (CEL_OTHER_EVENT, f"content of type {kind}")
    log_kind = LogKind.TPM if register.kind.value == "PCR" else LogKind.CCEL
    return log_kind, Event(register, event_type, digests, words, data=data)


def _register(reader: Reader, kind: int, number: int) -> Register:
    try:
        return pcr(number) if kind == _PCR else from_cc_mr_index(number)
    except TeekitError as error:
        raise reader.fail("register", f"there is no register {number}") from error


def _tlv(reader: Reader) -> tuple[int, bytes]:
    kind = reader.u8("type")
    return kind, bytes(reader.take(int.from_bytes(reader.take(4, "length"), "big"), "value"))


def _digests(data: bytes) -> tuple[Digest, ...]:
    reader = Reader(memoryview(data), _WHAT)
    found: list[Digest] = []
    while reader.remaining:
        identifier, value = _tlv(reader)
        algorithm = _BY_TCG_ID.get(identifier)
        if (
            algorithm is None
            or any(item.algorithm is algorithm for item in found)
            or len(value) != algorithm.size_bytes
        ):
            raise reader.fail("digest", f"{len(value)} bytes of algorithm {identifier:#x}")
        found.append(Digest(algorithm, value))
    return tuple(found)


def _cos_words(value: bytes) -> str:
    return f"event {value[0] if value else 0} of Google's launcher: {printable(value[5:].decode('utf-8', 'replace'))[:120]}"


def parse_cel_json(document: object, size_bytes: int) -> EventLog:
    """A list of records; those of NV indexes are left out, as they are no PCRs. Raises MalformedInputError naming the record."""
    records = document if isinstance(document, list) else [document]
    if len(records) > _MAX_RECORDS:
        raise _error("records", f"more than {_MAX_RECORDS}")
    return _log(LogKind.TPM, tuple(_json_events(records)), size_bytes)


def _error(field: str, problem: str) -> MalformedInputError:
    return MalformedInputError(_WHAT, field=field, offset=0, problem=problem)


def _json_events(records: Sequence[object]) -> Iterator[Event]:
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise _error(f"record {number}", "expected an object")
        index = record.get("pcr")
        if index is None:
            continue
        try:
            register = pcr(index if type(index) is int else -1)
            digests = tuple(_json_digest(item) for item in _list(record.get("digests")))
        except (TeekitError, ValueError, KeyError, TypeError) as error:
            raise _error(f"record {number}", "expected 'pcr' as a number and 'digests' as a list") from error
        yield Event(register, *_json_content(record, digests))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _json_digest(item: object) -> Digest:
    fields = item if isinstance(item, dict) else {}
    return Digest.from_hex(_BY_NAME[str(fields.get("hashAlg")).lower()], str(fields.get("digest")))


def _json_content(
    record: dict[str, object], digests: tuple[Digest, ...]
) -> tuple[int, tuple[Digest, ...], str, str, bytes]:
    content = record.get("content")
    content = content if isinstance(content, dict) else {}
    if isinstance(text := content.get("string"), str):
        own = CEL_TEXT_EVENT if str(content.get("eventType")) in _MEASURED_AS_TEXT else CEL_OTHER_EVENT
        return own, digests, f'"{printable(text)[:120]}"', "", text.encode("utf-8", "replace")
    kind, data = content.get("event_type"), content.get("event_data")
    number = _TYPES.get(kind, 0) if isinstance(kind, str) else kind
    try:
        raw = bytes.fromhex(data) if isinstance(data, str) else b""
    except ValueError:
        raw = b""
    if type(number) is int and 0 < number < 1 << 32:
        return number, digests, describe(number, raw), "", raw
    return CEL_OTHER_EVENT, digests, f"content of type {printable(str(record.get('content_type')))[:60]}", "", b""


def _log(kind: LogKind, events: tuple[Event, ...], size_bytes: int) -> EventLog:
    banks = [{digest.algorithm for digest in event.digests} for event in events]
    common = set.intersection(*banks) if banks else set()
    if not common:
        raise _error("digests", "there is no bank in which every record has a digest")
    algorithms = tuple(algorithm for algorithm in Algorithm if algorithm in common)
    return EventLog(kind, algorithms, events, size_bytes, has_runtime_events=True, has_boot_events=False)
