"""Parses event logs in the TCG's crypto-agile format from untrusted bytes into measurement events.

TCG PC Client Platform Firmware Profile 1.05 r23: 10.2.1 (the first record, in the old SHA-1 form), 10.2.2 (every other
record), 10.4.5.1 (the Spec ID event that lists the banks). A CCEL has the same form, with CC measurement register
indexes where a TPM log has PCR numbers (UEFI 2.10, 38.4.1).
"""

from __future__ import annotations

import struct
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, TeekitError, UnsupportedInputError
from teekit_verify.core.frozen import frozen
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
_EVENT_TYPES = frozenset(EventType)
_NO_RECORD = b"\xff\xff\xff\xff"
_TRUST_POINT = _NO_RECORD + EventType.EV_NO_ACTION.to_bytes(4, "little")
_EMPTY_RECORD = bytes(12)  # register 0, type 0, no digest: no event looks like this, so it is padding
_BY_TCG_ID = {algorithm.tcg_id: algorithm for algorithm in Algorithm}


_ALGORITHM_NAMES = {0x4: "SHA-1", 0x12: "SM3-256", 0x27: "SHA3-256", 0x28: "SHA3-384", 0x29: "SHA3-512"}
"""TCG Algorithm Registry, table 3: what a log may have besides the algorithms that we replay."""


class LogKind(Enum):
    """What the first number of a record means: a PCR, or a CC measurement register index."""

    TPM = "TPM"
    CCEL = "CCEL"


class LeftOut(Enum):
    """Why a bank is not replayed."""

    UNKNOWN = "its algorithm is not known"
    INCOMPLETE = "an event has no digest of it"
    EMPTY = "all its digests are zeros: nothing was measured into it"


@frozen
class LeftOutBank:
    """A bank that the log announces and that is not replayed. `offset` is that of the first event without a digest of it."""

    name: str
    reason: LeftOut
    offset: int | None = None


@frozen
class EventLog:
    """A parsed log. `algorithms` are its banks that can be replayed; `size_bytes` is its length without padding.

    `has_runtime_events`: it also has what is extended once the guest runs. The data of a CCEL ends with the boot.
    `has_boot_events`: it has what the firmware measured; excerpts for attestations and lists of what happens later do not.
    """

    kind: LogKind
    algorithms: tuple[Algorithm, ...]
    events: tuple[Event, ...]
    size_bytes: int
    left_out: tuple[LeftOutBank, ...] = ()
    has_runtime_events: bool = False
    has_boot_events: bool = True


@frozen
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
    in PCR 0 to 7 (Firmware Profile, 3.3.4). Raises MalformedInputError with offset and field; UnsupportedInputError for a
    log that has no bank which can be replayed.
    """
    _require_agile(memoryview(data))
    reader = Reader(memoryview(data), "event log")
    sizes = _parse_spec_id(reader)
    records = tuple(_records(reader, sizes))
    _skip_trust_points(reader, sizes)
    if not ignore_what_follows:
        _require_padding(reader)
    left_out = _left_out(sizes, records)
    known = tuple(
        _BY_TCG_ID[identifier] for identifier in sizes if _name(identifier) not in {it.name for it in left_out}
    )
    if not known:
        raise UnsupportedInputError(
            f"no bank of the event log can be replayed: {'; '.join(f'{it.name}: {it.reason.value}' for it in left_out)}",
            hint="Give a log with a SHA-256, SHA-384, SHA-512 or SM3 bank in which every event has its digest.",
        )
    kind = kind or _guess_kind(known, records)
    events = tuple(_event(kind, record) for record in records)
    return EventLog(kind, known, events, reader.position, left_out, _has_runtime_events(kind, events))


def is_event_log(data: bytes | memoryview) -> bool:
    """Whether this begins like a crypto-agile log, or like one that has SHA-1 digests only."""
    head = bytes(data[: SIGNATURE_OFFSET + len(SIGNATURE)])
    return head[SIGNATURE_OFFSET:] == SIGNATURE or _is_sha1_only(memoryview(data))


def _is_sha1_only(data: memoryview) -> bool:
    """Two records in the form of TPM 1.2 (PFP 1.05 r23, 10.2.1): register, type, SHA-1 digest, size, event."""
    position, has_digest = 0, False
    for _ in range(2):
        if len(data) < position + SIGNATURE_OFFSET:
            return False
        register, event_type = struct.unpack_from("<II", data, position)
        (size,) = struct.unpack_from("<I", data, position + SIGNATURE_OFFSET - 4)
        start = position + SIGNATURE_OFFSET
        if register >= registers.PCR_COUNT or event_type not in _EVENT_TYPES or size > min(len(data) - start, 1 << 20):
            return False
        if bytes(data[start : start + len(SIGNATURE)]) == SIGNATURE:
            return False
        has_digest |= any(data[position + 8 : start - 4])
        position = start + size
    return has_digest


def _require_agile(data: memoryview) -> None:
    if _is_sha1_only(data):
        raise UnsupportedInputError(
            "this event log has SHA-1 digests only (the form of TPM 1.2): SHA-1 proves nothing, so it is not replayed",
            hint="Give the log of a TPM 2.0 with a SHA-256 bank (binary_bios_measurements), or a CCEL.",
        )


def _name(identifier: int) -> str:
    algorithm = _BY_TCG_ID.get(identifier)
    return algorithm.value if algorithm else _ALGORITHM_NAMES.get(identifier, f"algorithm {identifier:#x}")


def _left_out(sizes: Mapping[int, int], records: tuple[_Record, ...]) -> tuple[LeftOutBank, ...]:
    """EV_NO_ACTION extends nothing: what digests it has does not matter."""
    found: list[LeftOutBank] = []
    for identifier in sizes:
        algorithm = _BY_TCG_ID.get(identifier)
        if algorithm is None:
            found.append(LeftOutBank(_name(identifier), LeftOut.UNKNOWN))
            continue
        extending = [record for record in records if record.event_type != EventType.EV_NO_ACTION]
        lacking = (
            record for record in extending if all(digest.algorithm is not algorithm for digest in record.digests)
        )
        if (first := next(lacking, None)) is not None:
            found.append(LeftOutBank(_name(identifier), LeftOut.INCOMPLETE, first.offset))
        elif extending and not any(any(_of(record, algorithm)) for record in extending):
            found.append(LeftOutBank(_name(identifier), LeftOut.EMPTY))
    return tuple(found)


def _of(record: _Record, algorithm: Algorithm) -> bytes:
    return next(digest.value for digest in record.digests if digest.algorithm is algorithm)


def _has_runtime_events(kind: LogKind, events: tuple[Event, ...]) -> bool:
    """The firmware never extends RTMR3: who logs an event of it logs what happens at run time."""
    return kind is LogKind.CCEL and any(
        event.register == registers.rtmr(registers.RTMR_COUNT - 1) and event.event_type != EventType.EV_NO_ACTION
        for event in events
    )


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
            hint="Give a crypto-agile log: binary_bios_measurements of a TPM 2.0, or a CCEL.",
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


def _skip_trust_points(reader: Reader, sizes: Mapping[int, int]) -> None:
    """Windows ends its log with signed records of no register, which extend nothing (EV_NO_ACTION, register 0xffffffff)."""
    while bytes(reader.data[reader.position : reader.position + 8]) == _TRUST_POINT:
        start = reader.position
        reader.take(8, "record: register and type")
        try:
            _parse_digests(reader, sizes)
            reader.take(reader.u32("record: event size"), "record: event")
        except MalformedInputError:
            reader.position = start  # an end in 0xff, and something else behind it
            return


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
    """0x00 or 0xff; both where the Attestation Agent has put its end, of zeros, behind a padded CCEL."""
    if bytes(reader.data[reader.position :]).strip(b"\0\xff"):
        raise reader.fail("padding", "what follows the last record is neither 0x00 nor 0xff")


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
