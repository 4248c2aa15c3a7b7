"""JSON from anybody, as plain values: what parsers disagree about is refused."""

from __future__ import annotations

import json
import re

MAX_DEPTH = 200
"""Objects and arrays within one another. Every Python's own parser goes deeper (3.11 to about 990 less its caller's depth, later
ones to thousands), so this says the same on each; the deepest document of the field, a CycloneDX list, has about 10."""

_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)


def load_plain(data: bytes) -> object:
    """Raises ValueError that says what is wrong; json.JSONDecodeError, which is one, where it knows the place.

    UTF-8 only; no key twice in one object, no NaN or Infinity (RFC 8259, 4 and 6), at most MAX_DEPTH deep. How many values
    there may be, each up to 1 KiB of memory, is for the caller to bound.
    """
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        _check_depth(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character for each byte, so that the place is one in the file.
        raise json.JSONDecodeError(
            f"byte {data[error.start]:#04x} is not UTF-8", data.decode("latin-1"), error.start
        ) from error
    return json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


def _check_depth(data: bytes) -> None:
    """Brackets inside strings are text; what is not JSON at all is found by the parser afterwards."""
    depth = 0
    for token in _BRACKETS.finditer(data):
        first = data[token.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"nested too deeply, over {MAX_DEPTH} levels at offset {token.start():#x}")
        elif first in b"]}":
            depth -= 1


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError(f"the key {name[:80]!r} occurs twice in one object")
        fields[name] = value
    return fields


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")
