"""IMA's list of measured files, as Linux shows it in ascii_runtime_measurements and binary_runtime_measurements.

Linux, security/integrity/ima (6.18): ima_fs.c (both forms), ima_template_lib.c (the fields), ima_crypto.c (what is hashed: each field
with its length as u32 before it; since 5.8 in every bank of the TPM). A violation is listed as zeros and extended as ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader
from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import MalformedInputError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence.describe import IMA_EVENT
from teekit_verify.evidence.eventlog import EventLog, LogKind
from teekit_verify.registers.events import Event
from teekit_verify.registers.registers import PCR_COUNT, RTMR_COUNT, pcr, rtmr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.registers.registers import Register

_WHAT = "IMA list"
_LINE = re.compile(
    r" ?([0-9]{1,2}) ((?:[0-9a-f]{2}){20,64}) (ima|ima-ng|ima-sig|ima-buf) (?:([0-9a-z-]{2,16}):)?([0-9a-f]{0,128}) ([^\n]{1,8192})"
)
_BY_SIZE = {20: Algorithm.SHA1, 32: Algorithm.SHA256, 48: Algorithm.SHA384, 64: Algorithm.SHA512}
_ALWAYS = (Algorithm.SHA256, Algorithm.SHA384)
_MAX_ENTRIES = 200_000
_MAX_NAME_BYTES, _MAX_DATA_BYTES, _MAX_TEMPLATE_BYTES = 255, 1 << 20, 16
_LEAST_BYTES = 64
_FIELDS = (2, 3)
_FILE_DIGEST = re.compile(rb"[a-z0-9-]{2,16}:\0(.{16}|.{20}|.{28}|.{32}|.{48}|.{64})", re.DOTALL)


@frozen
class _Entry:
    """`data` is what is hashed: the fields of the template, laid out."""

    number: int
    listed: Digest
    template: str
    data: bytes
    words: str


def is_ima_list(data: bytes) -> bool:
    """Whether this begins like an IMA list in text or in binary."""
    head = data[: 16 << 10]
    line = head.split(b"\n")[0]
    if line.isascii() and _LINE.fullmatch(line.decode("ascii")):
        return True
    return _digest_bytes(head) is not None


def parse_ima_list(data: bytes) -> EventLog:
    """Raises MalformedInputError naming the line or the offset."""
    size = _digest_bytes(data)
    entries = list(_text_entries(data) if size is None else _binary_entries(data, size))
    if not entries:
        raise MalformedInputError(_WHAT, field="entries", offset=0, problem="there is none")
    listed = entries[0].listed.algorithm
    if any(entry.listed.algorithm is not listed for entry in entries):
        raise MalformedInputError(_WHAT, field="entries", offset=0, problem="their digests are not of one algorithm")
    of_rtmrs = listed is Algorithm.SHA384 and all(entry.number < RTMR_COUNT for entry in entries)
    algorithms = (listed,) if of_rtmrs else tuple(dict.fromkeys((listed, *_ALWAYS)))
    events = tuple(
        _event(entry, rtmr(entry.number) if of_rtmrs else pcr(entry.number), algorithms) for entry in entries
    )
    return EventLog(
        LogKind.CCEL if of_rtmrs else LogKind.TPM,
        algorithms,
        events,
        len(data),
        has_runtime_events=True,
        has_boot_events=False,
    )


def in_register(log: EventLog, register: Register) -> tuple[Event, ...]:
    """The same list where a TD's kernel extends an RTMR with it: SHA-384 of the same data."""
    return tuple(
        Event(register, item.event_type, (_banked(item.data, Algorithm.SHA384),), item.description, data=item.data)
        for item in log.events
    )


def is_whole_list(log: EventLog) -> bool:
    """Whether nothing but IMA can have extended a register by these entries: what somebody else measured, a command line, say, must not
    pass for one.

    IMA begins with `boot_aggregate` (ima_init.c). Each field has its length before it, which no text begins with; the old template
    `ima` has none, and so proves nothing. A violation has no data.
    """
    entries = [event.data for event in log.events]
    return _is_entry(entries[0], b"boot_aggregate") and all(not data or _is_entry(data) for data in entries[1:])


def _is_entry(data: bytes, name: bytes | None = None) -> bool:
    """Templates ima-ng, ima-sig, ima-buf (ima_template_lib.c): ALGORITHM:, zero, digest; name, zero; and what may follow."""
    fields, reader = [], Reader(memoryview(data), _WHAT)
    try:
        while reader.remaining:
            fields.append(bytes(reader.take(_bounded(reader, "length", _MAX_DATA_BYTES), "field")))
    except MalformedInputError:
        return False
    if not _FIELDS[0] <= len(fields) <= _FIELDS[1] or not _FILE_DIGEST.fullmatch(fields[0]):
        return False
    found = fields[1].removesuffix(b"\0")
    is_name = fields[1].endswith(b"\0") and not any(byte < ord(" ") for byte in found)
    return is_name and (name is None or found == name)


def _event(entry: _Entry, register: Register, algorithms: tuple[Algorithm, ...]) -> Event:
    digests = tuple(
        entry.listed if any(entry.listed.value) and bank is entry.listed.algorithm else _extended(entry, bank)
        for bank in algorithms
    )
    data = entry.data if any(entry.listed.value) else b""
    return Event(register, IMA_EVENT, digests, entry.words, data=data)


def _extended(entry: _Entry, bank: Algorithm) -> Digest:
    return _banked(entry.data if any(entry.listed.value) else b"", bank)


def _banked(data: bytes, bank: Algorithm) -> Digest:
    return Digest.of(bank, data) if data else Digest(bank, b"\xff" * bank.size_bytes)


def _text_entries(data: bytes) -> Iterator[_Entry]:
    lines = data.decode("utf-8", "surrogateescape").rstrip("\n").split("\n")
    if len(lines) > _MAX_ENTRIES:
        raise MalformedInputError(_WHAT, field="lines", offset=0, problem=f"more than {_MAX_ENTRIES}")
    for number, line in enumerate(lines, start=1):
        match = _LINE.fullmatch(line)
        if match is None or int(match[1]) >= PCR_COUNT:
            problem = "is not an entry of the templates ima, ima-ng, ima-sig, ima-buf"
            raise MalformedInputError(_WHAT, field=f"line {number}", offset=0, problem=problem)
        yield _of_line(match, number)


def _of_line(match: re.Match[str], number: int) -> _Entry:
    listed, template, algorithm, rest = bytes.fromhex(match[2]), match[3], match[4], match[6]
    if len(listed) not in _BY_SIZE or len(match[5]) % 2:
        raise MalformedInputError(_WHAT, field=f"line {number}", offset=0, problem=f"a digest of {len(listed)} bytes")
    digest, words = bytes.fromhex(match[5]), f"file {printable(rest)[:120]}"
    name, _, extra = rest.rpartition(" ") if template in {"ima-sig", "ima-buf"} else (rest, "", "")
    if template in {"ima-sig", "ima-buf"} and not re.fullmatch(r"(?:[0-9a-f]{2})*", extra):
        name, extra = rest, ""
    data = (
        _old_template(digest, rest)
        if template == "ima"
        else _template(digest, algorithm or "", name, None if template == "ima-ng" else extra)
    )
    return _Entry(int(match[1]), Digest(_BY_SIZE[len(listed)], listed), template, data, words)


def _template(digest: bytes, algorithm: str, name: str, extra: str | None) -> bytes:
    fields = [algorithm.encode() + b":\0" + digest, name.encode("utf-8", "surrogateescape") + b"\0"]
    fields += [] if extra is None else [bytes.fromhex(extra)]
    return b"".join(len(item).to_bytes(4, "little") + item for item in fields)


def _old_template(digest: bytes, name: str) -> bytes:
    """Template `ima`: the digest, and the name in 256 bytes."""
    return digest + name.encode("utf-8", "surrogateescape")[:_MAX_NAME_BYTES].ljust(_MAX_NAME_BYTES + 1, b"\0")


def _digest_bytes(data: bytes) -> int | None:
    """How long the digests of a binary list are; None for what is none."""
    for size in _BY_SIZE:
        reader = Reader(memoryview(data), _WHAT)
        try:
            number = reader.u32("register")
            reader.take(size, "digest")
            name = bytes(reader.take(_bounded(reader, "length of the name", _MAX_TEMPLATE_BYTES), "name"))
        except MalformedInputError:
            continue
        if number < PCR_COUNT and len(data) >= _LEAST_BYTES and name in {b"ima", b"ima-ng", b"ima-sig", b"ima-buf"}:
            return size
    return None


def _bounded(reader: Reader, field: str, most: int) -> int:
    value = reader.u32(field)
    if value > most:
        raise reader.fail(field, f"expected at most {most}, found {value}")
    return value


def _binary_entries(data: bytes, digest_bytes: int) -> Iterator[_Entry]:
    reader = Reader(memoryview(data), _WHAT)
    for _ in range(_MAX_ENTRIES):
        if not reader.remaining:
            return
        number = _bounded(reader, "register", PCR_COUNT - 1)
        listed = Digest(_BY_SIZE[digest_bytes], bytes(reader.take(digest_bytes, "digest")))
        template = bytes(reader.take(_bounded(reader, "length of the name", _MAX_TEMPLATE_BYTES), "name"))
        yield _Entry(number, listed, template.decode("ascii", "replace"), *_content(reader, template))
    raise reader.fail("entries", f"more than {_MAX_ENTRIES}")


def _content(reader: Reader, template: bytes) -> tuple[bytes, str]:
    if template == b"ima":
        digest = bytes(reader.take(20, "digest of the file"))
        name = bytes(reader.take(_bounded(reader, "length of the file's name", _MAX_NAME_BYTES), "file's name"))
        return _old_template(digest, name.decode("utf-8", "surrogateescape")), f"file {_shown(name)}"
    data = bytes(reader.take(_bounded(reader, "length of the data", _MAX_DATA_BYTES), "data"))
    fields = Reader(memoryview(data), _WHAT)
    fields.take(_bounded(fields, "length of the digest", len(data)), "digest of the file")
    name = bytes(fields.take(_bounded(fields, "length of the file's name", len(data)), "file's name"))
    return data, f"file {_shown(name)}"


def _shown(name: bytes) -> str:
    return printable(name.split(b"\0")[0].decode("utf-8", "surrogateescape"))[:120]
