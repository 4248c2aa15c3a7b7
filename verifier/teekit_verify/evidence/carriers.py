"""Finds evidence in whatever carries it, by what it is and not by what somebody called it: the one opener of every command.

Carriers: bytes; hexadecimal and base64 text, alone or behind `name:`; JSON, YAML, MessagePack and protobuf, nested as deep as may be, with bytes as
text or lists of numbers; certificates with extensions (RA-TLS); gzip. What is found is only found: parsing and verifying come after.
Bounds: depth, decoded bytes, and documents, so that no input costs more than its size.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import MalformedInputError, TeekitError, printable
from teekit_verify.core.frozen import frozen
from teekit_verify.evidence import hcl
from teekit_verify.evidence.aael import is_aael
from teekit_verify.evidence.cel import is_cel_json, is_cel_tlv
from teekit_verify.evidence.encoded import decode_text
from teekit_verify.evidence.eventlog import SIGNATURE, SIGNATURE_OFFSET, is_event_log
from teekit_verify.evidence.foreign import ForeignEvidence, foreign_evidence
from teekit_verify.evidence.ima import is_ima_list
from teekit_verify.evidence.msgpack import parse_msgpack
from teekit_verify.evidence.plain_json import is_text, parse_json
from teekit_verify.evidence.plain_yaml import looks_like_yaml, parse_yaml
from teekit_verify.evidence.scale import PREFIXES, parse_scale
from teekit_verify.evidence.tpm_tools import parse_tpm_tools

if TYPE_CHECKING:
    from collections.abc import Callable

_WHAT = "evidence"
_MAX_DEPTH, _MAX_DECODED_BYTES, _MAX_DOCUMENTS, _MAX_FOUND = 32, 64 << 20, 64, 64
_LEAST_TEXT, _MAX_VISITS = 128, 10_000
"""Shorter texts hold no quote and no log; they are digests and names. Each longer one costs some 50 microseconds."""
_ENCODED = re.compile(r"(?:0[xX])?[0-9A-Za-z+/_=\s-]+")
_NAMED_LINE = re.compile(r"^[ \t]*[A-Za-z][\w .-]{0,40}[:=][ \t]*(\S{64,})[ \t]*$", re.MULTILINE)
_BLOCK = re.compile(r"((?:^[ \t]*[0-9A-Za-z+/_-]{48,}={0,2}[ \t\r]*(?:\n|\Z))+)", re.MULTILINE)
"""Lines of nothing else, as YAML has long texts."""
_PEM = b"-----BEGIN CERTIFICATE-----"
_DER_SEQUENCES = (b"\x30\x82", b"\x30\x83")
_OCTET_STRING = 0x04
_GZIP = b"\x1f\x8b\x08"
_MSGPACK_MAPS = frozenset({*range(0x80, 0x90), 0xDE, 0xDF})
_VENDOR, _VENDOR_OFFSET = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607"), 12
_HEADER_BYTES, _REPORT_BYTES, _VERSION_5 = 48, 584, 5
"""Of a quote: Intel's vendor ID in its header, the header's length, and that of the report in version 4."""
_MAX_RUN_OF_NUMBERS = 0xFF
_RECORD_SEPARATOR = "\x1e"


class Kind(Enum):
    """What was found."""

    QUOTE = "quote"
    LOG = "event log"
    DSTACK_LOG = "dstack event log"
    CEL_TLV = "canonical event log in TLV"
    CEL_JSON = "canonical event log in JSON"
    IMA = "IMA list"
    AAEL = "Attestation Agent's event log"
    HCL = "HCL report"
    TABLE = "CCEL table"
    FOREIGN = "other evidence"


LOGS = frozenset({Kind.LOG, Kind.DSTACK_LOG, Kind.CEL_TLV, Kind.CEL_JSON, Kind.IMA, Kind.AAEL})


@frozen
class Carried:
    """`place` is where it is in the document, as `tdx.quote`; empty for a file that is nothing else.

    `content` are its bytes; of logs in JSON the parsed values, and of FOREIGN what it is.
    """

    kind: Kind
    place: str
    content: object


@dataclass(slots=True)
class _Search:
    """What was found so far, and what is left to be decoded."""

    what: str
    found: list[Carried] = field(default_factory=list)
    decoded_bytes: int = 0
    documents: int = 0
    visits: int = 0

    def add(self, kind: Kind, place: str, content: object) -> None:
        """The same thing in two places was found once. Raises MalformedInputError for more than anybody wants to choose from."""
        key = content.rstrip(b"\0") if isinstance(content, bytes) else content
        known = (
            it.content.rstrip(b"\0") if isinstance(it.content, bytes) else it.content
            for it in self.found
            if it.kind is kind
        )
        if key not in known:
            if len(self.found) == _MAX_FOUND:
                problem = f"more than {_MAX_FOUND} pieces of evidence in one file"
                raise MalformedInputError(self.what, field=_named(place), offset=0, problem=problem)
            self.found.append(Carried(kind, place, content))

    def spend(self, size_bytes: int, place: str) -> bool:
        """Whether there may be more. Raises MalformedInputError for more pieces than evidence has."""
        self.decoded_bytes += size_bytes
        self.visits += 1
        if self.visits > _MAX_VISITS:
            problem = f"more than {_MAX_VISITS} texts in which evidence could be"
            raise MalformedInputError(self.what, field=_named(place), offset=0, problem=problem)
        return self.decoded_bytes <= _MAX_DECODED_BYTES


def _named(place: str) -> str:
    """Foreign names, for an error."""
    return printable(place)[:80] or "file"


def find_evidence(data: bytes, what: str = _WHAT) -> tuple[Carried, ...]:
    """Everything in `data`, in its order; nothing if there is none. Raises MalformedInputError, in which `what` is what was
    looked for, for JSON that is none.
    """
    search = _Search(what)
    _visit_bytes(search, data, "", 0)
    return tuple(search.found)


def is_quote(data: bytes) -> bool:
    """Version 4 or 5, a key type, and the TEE type of TDX."""
    return data[:2] in {b"\4\0", b"\5\0"} and data[2:4] in {b"\2\0", b"\3\0"} and data[4:8] == b"\x81\0\0\0"


def _kind_of(data: bytes) -> Kind | None:
    if is_quote(data):
        return Kind.QUOTE
    if data[SIGNATURE_OFFSET:].startswith(SIGNATURE):
        return Kind.LOG
    if data[:4] == hcl.SIGNATURE:
        return Kind.HCL
    if data[:4] == b"CCEL":
        return Kind.TABLE
    if is_cel_tlv(data):
        return Kind.CEL_TLV
    if is_aael(data):
        return Kind.AAEL
    return Kind.IMA if is_ima_list(data) else None


def _visit_bytes(search: _Search, data: bytes, place: str, depth: int) -> None:
    if depth > _MAX_DEPTH or not search.spend(len(data), place):
        return
    foreign = foreign_evidence(data)
    if (kind := _kind_of(data)) is not None:
        search.add(kind, place, data)
    elif foreign is not None:
        search.add(Kind.FOREIGN, place, foreign)
    # A space in its place: what stands on its two sides must not become one character.
    elif is_text(data.replace(_RECORD_SEPARATOR.encode(), b" ")):
        _visit_text(search, data, place, depth)
    elif depth == 0 and is_event_log(data):
        search.add(Kind.LOG, place, data)  # SHA-1 only: parsing says so
    else:
        _visit_binary(search, data, place, depth)


def _visit_binary(search: _Search, data: bytes, place: str, depth: int) -> None:
    """Formats that say little of themselves: each is tried where its first bytes fit."""
    if data.startswith(_GZIP):
        _visit_bytes(search, _inflated(data), place, depth + 1)
    elif data.startswith(_DER_SEQUENCES):
        _visit_certificates(search, data, place, depth)
    elif data[:1] and data[0] in _MSGPACK_MAPS:
        _visit_parsed(search, lambda: parse_msgpack(data, _WHAT), place, depth)
    elif data.startswith(PREFIXES):
        _visit_parsed(search, lambda: parse_scale(data), place, depth)
    else:
        _visit_parsed(search, lambda: parse_tpm_tools(data), place, depth)
    if not search.found:
        _find_in_bytes(search, data, place)


def _find_in_bytes(search: _Search, data: bytes, place: str) -> None:
    """In a container that is not known (CBOR, other SCALE), a quote is found by its header, which no other bytes look like."""
    start = data.find(_VENDOR) - _VENDOR_OFFSET
    if start < 0 or not is_quote(data[start:]):
        return
    body_offset = _HEADER_BYTES
    if data[start] == _VERSION_5:
        body_offset += 6
    body_bytes = _REPORT_BYTES if data[start] != _VERSION_5 else int.from_bytes(data[start + 50 : start + 54], "little")
    end = start + body_offset + body_bytes
    signature_bytes = int.from_bytes(data[end : end + 4], "little")
    search.add(Kind.QUOTE, place, data[start : end + 4 + signature_bytes])


def _visit_parsed(search: _Search, parse: Callable[[], object], place: str, depth: int) -> None:
    try:
        value = parse()
    except MalformedInputError:
        return
    _visit_value(search, value, place, depth + 1)


def _inflated(data: bytes) -> bytes:
    """Empty for what is no gzip; cut where it gets too long."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, _MAX_DECODED_BYTES)
    except zlib.error:
        return b""


def _visit_text(search: _Search, data: bytes, place: str, depth: int) -> None:
    text = data.decode("utf-8").strip()
    if text.startswith(("{", "[", '"', _RECORD_SEPARATOR)):
        _visit_json(search, text, place, depth)
    elif (value := _parsed_yaml(text)) is not None:
        _visit_value(search, value, place, depth + 1)
    elif _PEM.decode() in text:
        _visit_certificates(search, data, place, depth)
    elif len(text) >= _LEAST_TEXT and _ENCODED.fullmatch(text):
        _visit_encoded(search, text, place, depth)
    else:
        for match in (*_NAMED_LINE.finditer(text), *_BLOCK.finditer(text)):
            _visit_encoded(search, match[1].strip("\"',"), place, depth)


def _parsed_yaml(text: str) -> object:
    """None for what is none, or is not read: then its lines are looked at one by one."""
    try:
        return parse_yaml(text, _WHAT) if looks_like_yaml(text) else None
    except MalformedInputError:
        return None


def _visit_encoded(search: _Search, text: str, place: str, depth: int) -> None:
    try:
        decoded = decode_text(text, _WHAT, place or "text")
    except MalformedInputError:
        return
    _visit_bytes(search, decoded, place, depth + 1)


def _visit_json(search: _Search, text: str, place: str, depth: int) -> None:
    search.documents += 1
    if search.documents > _MAX_DOCUMENTS:
        return
    try:
        value = _parsed_json(text, search.what)
    except MalformedInputError:
        if depth == 0:
            raise
        return
    _visit_value(search, value, place, depth + 1)


def _parsed_json(text: str, what: str) -> object:
    """One document; or several, each on a line of its own (JSON text sequences, RFC 7464, as systemd writes its log)."""
    lines = [line.strip(_RECORD_SEPARATOR + " \t\r") for line in text.split("\n")]
    lines = [line for line in lines if line]
    if len(lines) > 1 and all(line.startswith("{") and line.endswith("}") for line in lines):
        text = f"[{','.join(lines)}]"
    return parse_json(text.strip(_RECORD_SEPARATOR).encode("utf-8"), what)


def _visit_value(search: _Search, value: object, place: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, bytes):
        _visit_bytes(search, value, place, depth)
    elif isinstance(value, str):
        if len(value) >= _LEAST_TEXT:
            _visit_bytes(search, value.encode("utf-8", "replace"), place, depth)
    elif isinstance(value, list):
        _visit_list(search, value, place, depth)
    elif is_cel_json(value):
        search.add(Kind.CEL_JSON, place, [value])
    elif isinstance(value, dict):
        for name, item in value.items():
            _visit_value(search, item, f"{place}.{name}" if place else name, depth + 1)


def _visit_list(search: _Search, value: list[object], place: str, depth: int) -> None:
    first = value[0] if value else None
    if isinstance(first, dict) and "imr" in first:
        search.add(Kind.DSTACK_LOG, place, value)
    elif is_cel_json(value):
        search.add(Kind.CEL_JSON, place, value)
    elif type(first) is int:
        if all(type(item) is int and 0 <= item <= _MAX_RUN_OF_NUMBERS for item in value):
            _visit_bytes(search, bytes(value), place, depth)  # type: ignore[arg-type]
    else:
        for number, item in enumerate(value):
            _visit_value(search, item, f"{place}[{number}]", depth + 1)


def _visit_certificates(search: _Search, data: bytes, place: str, depth: int) -> None:
    """The values of a certificate's extensions, in which RA-TLS has quote and log."""
    from cryptography import x509

    from teekit_verify.evidence.certificates import load_certificates, reading

    try:
        with reading("certificate", _WHAT):
            found = load_certificates(data) if _PEM in data else [x509.load_der_x509_certificate(data)]
            extensions = [item for certificate in found for item in certificate.extensions]
    except TeekitError:
        return
    for item in extensions:
        if isinstance(item.value, x509.UnrecognizedExtension):
            name = f"{place}.{item.oid.dotted_string}" if place else item.oid.dotted_string
            for content in _unwrapped(item.value.value):
                _visit_bytes(search, content, name, depth + 1)


def _unwrapped(data: bytes) -> tuple[bytes, ...]:
    """As it stands, or in an OCTET STRING of its own (X.690, 8.7)."""
    if data[:1] != bytes((_OCTET_STRING,)) or len(data) < 2:  # noqa: PLR2004 - tag and length
        return (data,)
    length_bytes = data[1] & 0x7F if data[1] & 0x80 else 0
    length = int.from_bytes(data[2 : 2 + length_bytes], "big") if length_bytes else data[1]
    start = 2 + length_bytes
    return (data[start:],) if start + length == len(data) else (data,)


def foreign_in(found: tuple[Carried, ...]) -> ForeignEvidence | None:
    """The first of what is evidence, but not of a kind that can be used here."""
    return next((item.content for item in found if isinstance(item.content, ForeignEvidence)), None)
