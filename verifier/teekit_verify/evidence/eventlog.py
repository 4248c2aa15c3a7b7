"""Parses event logs in the TCG's crypto-agile format from untrusted bytes into measurement events.

TCG PC Client Platform Firmware Profile 1.05 r23: 10.2.1 (the first record, in the old SHA-1 form), 10.2.2 (every other
record), 10.4.5.1 (the Spec ID event that lists the banks). A CCEL has the same form, with CC measurement register
indexes where a TPM log has PCR numbers (UEFI 2.10, 38.4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, TeekitError
from teekit_verify.evidence.describe import describe
from teekit_verify.registers import registers
from teekit_verify.registers.events import Event, EventType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from teekit_verify.registers.registers import Register

SIGNATURE = b"Spec ID Event03\0"
SIGNATURE_OFFSET = 32
"""Where the signature is in a log: behind index, type, SHA-1 digest and size of the first record."""
MAX_LOG_BYTES = 16 << 20

_MAX_ALGORITHMS = 16
_MAX_DIGEST_BYTES = 64
_MAX_REGISTER_INDEX = 31
_NO_RECORD = b"\xff\xff\xff\xff"
_EMPTY_RECORD = bytes(12)  # register 0, type 0, no digest: no event looks like this, so it is padding
_BY_TCG_ID = {algorithm.tcg_id: algorithm for algorithm in Algorithm}


class LogKind(Enum):
    """What the first number of a record means: a PCR, or a CC measurement register index."""

    TPM = "TPM"
    CCEL = "CCEL"


@dataclass(frozen=True, slots=True)
class EventLog:
    """A parsed log. `algorithms` are its banks that we know; `size_bytes` is its length without padding."""

    kind: LogKind
    algorithms: tuple[Algorithm, ...]
    events: tuple[Event, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Record:
    offset: int
    index: int
    event_type: int
    digests: tuple[Digest, ...]
    data: bytes


def parse_event_log(
    data: bytes | memoryview, kind: LogKind | None = None, *, ignore_what_follows: bool = False
) -> EventLog:
    """Parse a log up to the end of `data`, a record with register 0xffffffff, or zero padding.

    What follows the log must be padding (all 0x00 or all 0xff), unless `ignore_what_follows`, for logs found in memory.
    Without `kind`, a log that has a SHA-384 bank only and no register above 4 is a CCEL: a TPM platform logs separators
    in PCR 0 to 7 (Firmware Profile, 3.3.4). Raises MalformedInputError with offset and field.
    """
    reader = Reader(memoryview(data), "event log")
    sizes = _parse_spec_id(reader)
    records = tuple(_records(reader, sizes))
    if not ignore_what_follows:
        _require_padding(reader)
    known = tuple(_BY_TCG_ID[identifier] for identifier in sizes if identifier in _BY_TCG_ID)
    kind = kind or _guess_kind(known, records)
    return EventLog(kind, known, tuple(_event(kind, record) for record in records), reader.position)


def _parse_spec_id(reader: Reader) -> Mapping[int, int]:
    """The first record. Returns the digest size in bytes of each algorithm, by TPM_ALG_ID, in the log's order."""
    reader.u32("first record: register")
    event_type = reader.u32("first record: event type")
    if event_type != EventType.EV_NO_ACTION:
        raise reader.fail("first record: event type", f"expected 3 (EV_NO_ACTION), found {event_type:#x}")
    reader.take(20, "first record: SHA-1 digest")
    start = SIGNATURE_OFFSET
    content = reader.take(reader.u32("first record: event size"), "first record: event")
    spec_id = Reader(content, "event log", base=start)
    signature = bytes(spec_id.take(len(SIGNATURE), "Spec ID event: signature"))
    if signature != SIGNATURE:
        raise MalformedInputError(
            "event log",
            field="Spec ID event: signature",
            offset=start,
            problem=f"expected {SIGNATURE!r}, found {signature!r}",
            hint="Give a crypto-agile log (TPM 2.0 or CCEL); SHA-1-only logs of TPM 1.2 are not supported.",
        )
    spec_id.take(8, "Spec ID event: platform class and version")
    return _parse_algorithms(spec_id)


def _parse_algorithms(spec_id: Reader) -> Mapping[int, int]:
    count = spec_id.u32("Spec ID event: number of algorithms")
    if not 1 <= count <= _MAX_ALGORITHMS:
        raise spec_id.fail("Spec ID event: number of algorithms", f"expected 1 to {_MAX_ALGORITHMS}, found {count}")
    sizes: dict[int, int] = {}
    for _ in range(count):
        identifier, size = spec_id.unpack("HH", "Spec ID event: algorithm")
        known = _BY_TCG_ID.get(identifier)
        if identifier in sizes:
            raise spec_id.fail("Spec ID event: algorithm", f"{identifier:#x} is listed twice")
        if not 1 <= size <= _MAX_DIGEST_BYTES or (known is not None and size != known.size_bytes):
            raise spec_id.fail("Spec ID event: digest size", f"{size} bytes for algorithm {identifier:#x}")
        sizes[identifier] = size
    spec_id.take(spec_id.u8("Spec ID event: vendor information size"), "Spec ID event: vendor information")
    if spec_id.remaining:
        raise spec_id.fail("Spec ID event", f"{spec_id.remaining} bytes too many")
    return sizes


def _records(reader: Reader, sizes: Mapping[int, int]) -> Iterator[_Record]:
    while not _at_end(reader):
        offset = reader.position
        index = reader.u32("record: register")
        if index > _MAX_REGISTER_INDEX:
            raise reader.fail("record: register", f"there is no register {index:#x}")
        event_type = reader.u32("record: event type")
        digests = _parse_digests(reader, sizes)
        data = bytes(reader.take(reader.u32("record: event size"), "record: event"))
        yield _Record(offset, index, event_type, digests, data)


def _at_end(reader: Reader) -> bool:
    ahead = bytes(reader.data[reader.position : reader.position + len(_EMPTY_RECORD)])
    return ahead.startswith(_NO_RECORD) or ahead == _EMPTY_RECORD[: len(ahead)]


def _parse_digests(reader: Reader, sizes: Mapping[int, int]) -> tuple[Digest, ...]:
    count = reader.u32("record: number of digests")
    if not 1 <= count <= len(sizes):
        raise reader.fail("record: number of digests", f"expected 1 to {len(sizes)}, found {count}")
    found: dict[int, bytes] = {}
    for _ in range(count):
        identifier = reader.u16("record: digest algorithm")
        if identifier not in sizes or identifier in found:
            problem = "appears twice" if identifier in found else "is not listed in the Spec ID event"
            raise reader.fail("record: digest algorithm", f"{identifier:#x} {problem}")
        found[identifier] = bytes(reader.take(sizes[identifier], "record: digest"))
    return tuple(Digest(_BY_TCG_ID[key], value) for key, value in found.items() if key in _BY_TCG_ID)


def _require_padding(reader: Reader) -> None:
    rest = bytes(reader.data[reader.position :])
    if rest.strip(b"\0") and rest.strip(b"\xff"):
        raise reader.fail("padding", "what follows the last record is neither all 0x00 nor all 0xff")


def _guess_kind(known: tuple[Algorithm, ...], records: tuple[_Record, ...]) -> LogKind:
    only_cc_registers = all(record.index <= registers.RTMR_COUNT for record in records)
    return LogKind.CCEL if known == (Algorithm.SHA384,) and only_cc_registers else LogKind.TPM


def _event(kind: LogKind, record: _Record) -> Event:
    return Event(
        register=_register(kind, record),
        event_type=record.event_type,
        digests=record.digests,
        description=describe(record.event_type, record.data),
        data=record.data,
    )


def _register(kind: LogKind, record: _Record) -> Register:
    try:
        return registers.pcr(record.index) if kind is LogKind.TPM else registers.from_cc_mr_index(record.index)
    except TeekitError as error:
        raise MalformedInputError(
            "event log",
            field="record: register",
            offset=record.offset,
            problem=f"a {kind.value} log has no register {record.index}",
        ) from error
