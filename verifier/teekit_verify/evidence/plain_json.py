"""JSON that evidence comes in: bounded in bytes, values and depth, and read as plain values."""

from __future__ import annotations

import json
import re

from teekit_verify.core.errors import MalformedInputError, printable
from teekit_verify.core.plain_json import load_plain

MAX_JSON_BYTES = 4 << 20
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_MAX_VALUES = 100_000
"""Every value takes up to 1 KiB while it is parsed. An event of a log has 5."""


def is_text(data: bytes) -> bool:
    """Printable ASCII or UTF-8 with white space only: quotes and logs as bytes have zeros within their first 20 bytes."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return bool(data) and _CONTROL.search(data) is None


def parse_json(data: bytes, what: str) -> object:
    """Plain values; refuses duplicate keys, on which parsers disagree. Raises MalformedInputError."""
    if sum(map(data.count, (b",", b"[", b"{", b":"))) > _MAX_VALUES:
        raise MalformedInputError(what, field="JSON", offset=0, problem=f"more than {_MAX_VALUES} values")
    try:
        return load_plain(data)
    except ValueError as error:
        offset = error.pos if isinstance(error, json.JSONDecodeError) else 0
        problem = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise MalformedInputError(what, field="JSON", offset=offset, problem=printable(problem)) from error
