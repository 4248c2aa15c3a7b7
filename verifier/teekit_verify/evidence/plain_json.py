"""JSON that evidence comes in: bounded in bytes, values and depth, and read as plain values."""

from __future__ import annotations

import json
import re

from teekit_verify.core.errors import MalformedInputError, printable
from teekit_verify.core.plain_json import load_plain

MAX_JSON_BYTES = 4 << 20
MAX_EVIDENCE_BYTES = 16 << 20
"""A log of 1 MiB as a list of numbers has 4 MiB."""
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_MAX_VALUES, _MAX_ITEMS = 100_000, 4_000_000
"""A member of an object, and a list, take up to 1 KiB while they are parsed; an event of a log has 5. An item of a list takes some 16
bytes: bytes come as lists of numbers."""


def is_text(data: bytes) -> bool:
    """Printable ASCII or UTF-8 with white space only: quotes and logs as bytes have zeros within their first 20 bytes."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return bool(data) and _CONTROL.search(data) is None


def parse_json(data: bytes, what: str) -> object:
    """Plain values; refuses duplicate keys, on which parsers disagree. Raises MalformedInputError."""
    if sum(map(data.count, (b"[", b"{", b":"))) > _MAX_VALUES or data.count(b",") > _MAX_ITEMS:
        raise MalformedInputError(what, field="JSON", offset=0, problem=f"more than {_MAX_VALUES} values")
    try:
        return load_plain(data)
    except ValueError as error:
        offset = error.pos if isinstance(error, json.JSONDecodeError) else 0
        problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise MalformedInputError(what, field="JSON", offset=offset, problem=printable(problem)) from error
