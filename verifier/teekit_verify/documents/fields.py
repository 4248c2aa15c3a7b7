"""How digests, registers and bounded text stand in JSON: the field types of the published documents.

Each is a type alias that pydantic reads: the value in memory is a `Digest` or a `Register`, the value in JSON is text.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.marks import (
    AfterValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    WrapSerializer,
)
from teekit_verify.registers.events import EventType, event_type_name
from teekit_verify.registers.registers import Register

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SerializerFunctionWrapHandler

MAX_ITEMS = 20_000
"""Packages or files in one list: a full image has some hundreds of each."""
MAX_GROUPS = 100
"""Groups of values that belong together, on one platform: each is compared by itself."""

Item = TypeVar("Item")

Name = Annotated[str, Field(min_length=1, max_length=255)]
Path = Annotated[str, Field(min_length=1, max_length=4096)]
Text = Annotated[str, Field(max_length=4096)]
Hostname = Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,253}$")]
Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
NarHash = Annotated[str, Field(pattern=r"^sha256-[A-Za-z0-9+/]{43}=$")]
StorePath = Annotated[str, Field(pattern=r"^/nix/store/[0-9a-z]{32}-[0-9A-Za-z+._?=-]{1,211}$")]
Size = Annotated[int, Field(ge=0, le=2**63 - 1)]


def _hex_pattern(algorithm: Algorithm) -> str:
    return f"^[0-9a-f]{{{2 * algorithm.size_bytes}}}$"


def parse_digest(algorithm: Algorithm, text: object) -> Digest:
    """Lower case hexadecimal only, so that a digest has one spelling. Raises ValueError, as pydantic asks."""
    if not isinstance(text, str) or not re.fullmatch(_hex_pattern(algorithm), text):
        raise ValueError(f"must be {2 * algorithm.size_bytes} lower case hexadecimal digits ({algorithm.value})")
    return Digest.from_hex(algorithm, text)


def _parse_sha256(text: object) -> Digest:
    return parse_digest(Algorithm.SHA256, text)


def _hex(digest: Digest) -> str:
    return digest.hex


Sha256 = Annotated[
    Digest,
    PlainValidator(_parse_sha256),
    PlainSerializer(_hex, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _hex_pattern(Algorithm.SHA256)}),
]


def _parse_sha384(text: object) -> Digest:
    return parse_digest(Algorithm.SHA384, text)


Sha384 = Annotated[
    Digest,
    PlainValidator(_parse_sha384),
    PlainSerializer(_hex, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _hex_pattern(Algorithm.SHA384)}),
]


def _parse_base64(text: object) -> bytes:
    """Padded, of the standard alphabet, so that bytes have one spelling (RFC 4648, 4)."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except (binascii.Error, ValueError):
        data = None
    if data is None or _dump_base64(data) != text:
        raise ValueError("must be base64")
    return data


def _dump_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


Base64 = Annotated[
    bytes,
    PlainValidator(_parse_base64),
    PlainSerializer(_dump_base64, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9+/]*={0,2}$"}),
]

_BANKS = (Algorithm.SHA256, Algorithm.SHA384)


def _parse_banks(value: object) -> tuple[Digest, ...]:
    """`{"sha256": hex, "sha384": hex}`, at least one of them, to digests in this order."""
    names = [bank.value for bank in _BANKS]
    if not isinstance(value, dict) or not value or set(value) - set(names):
        raise ValueError(f"must be an object with one digest for each bank, out of {' and '.join(names)}")
    return tuple(parse_digest(bank, value[bank.value]) for bank in _BANKS if bank.value in value)


def _dump_banks(digests: tuple[Digest, ...]) -> dict[str, str]:
    return {digest.algorithm.value: digest.hex for digest in sorted(digests, key=lambda digest: len(digest.value))}


BankDigests = Annotated[
    tuple[Digest, ...],
    PlainValidator(_parse_banks),
    PlainSerializer(_dump_banks, return_type=dict[str, str]),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {bank.value: {"type": "string", "pattern": _hex_pattern(bank)} for bank in _BANKS},
            "additionalProperties": False,
            "minProperties": 1,
        }
    ),
]

_EVENT_NUMBERS = {kind.name: kind.value for kind in EventType}


def _parse_event_type(text: object) -> int:
    """The specification's name, or 0x and 8 hexadecimal digits for a type it does not name."""
    if isinstance(text, str):
        if text in _EVENT_NUMBERS:
            return _EVENT_NUMBERS[text]
        if re.fullmatch("0x[0-9a-f]{8}", text) and event_type_name(int(text, 16)) == text:
            return int(text, 16)
    raise ValueError("must be the name of a TCG event type such as EV_IPL, or 0x and 8 digits for one without a name")


EventTypeName = Annotated[
    int,
    PlainValidator(_parse_event_type),
    PlainSerializer(event_type_name, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(EV_[A-Z0-9_]+|0x[0-9a-f]{8})$"}),
]


def _parse_register(text: object) -> Register:
    if not isinstance(text, str):
        raise ValueError("must be the name of a register")  # noqa: TRY004 - pydantic reports ValueError only
    try:
        return Register(text)
    except TeekitError as error:
        raise ValueError(error.message) from error


RegisterName = Annotated[
    Register,
    PlainValidator(_parse_register),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(MRTD|PCR([0-9]|1[0-9]|2[0-3])|RTMR[0-3])$"}),
]

PlatformName = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,39}(/[a-z0-9][a-z0-9-]{0,39})?$")]
"""A kind of machine, or one machine type of it: `gcp`, `gcp/c3-standard-4`."""


def natural(name: str) -> tuple[str, int]:
    """Sort key that puts PCR4 before PCR11."""
    stem = name.rstrip("0123456789")
    return stem, int(name.removeprefix(stem) or "0")


def left_out_if_empty(*names: str) -> WrapSerializer:
    """Fields that are written only where they say something: documents without them have the bytes from before they were there."""

    def dump_without(value: Any, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = dump(value)
        for name in names:
            if not found[name]:
                del found[name]
        return found

    return WrapSerializer(dump_without)


def _dump_sorted(value: Any, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
    return dict(sorted(dump(value).items(), key=lambda item: natural(item[0])))


SORTED = WrapSerializer(_dump_sorted)
"""For mappings: written in natural key order, whatever the order in memory, so that equal documents have equal bytes."""


def unique(key: Callable[[Item], object], what: str) -> AfterValidator:
    """For lists: no two items with the same key."""

    def check(items: tuple[Item, ...]) -> tuple[Item, ...]:
        seen: set[object] = set()
        for item in items:
            if key(item) in seen:
                raise ValueError(f"the {what} {key(item)!r} is listed twice")
            seen.add(key(item))
        return items

    return AfterValidator(check)
