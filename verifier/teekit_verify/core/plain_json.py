"""JSON from anybody, as plain values: what parsers disagree about is refused."""

from __future__ import annotations

import json


def load_plain(data: bytes) -> object:
    """Raises ValueError that says what is wrong; json.JSONDecodeError, which is one, where it knows the place.

    UTF-8 only; no key twice in one object, no NaN or Infinity (RFC 8259, 4 and 6). How many values there may be, each up to
    1 KiB of memory, is for the caller to bound.
    """
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for name, value in pairs:
        if name in fields:
            raise ValueError(f"the key {name[:80]!r} stands twice in one object")
        fields[name] = value
    return fields


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")
