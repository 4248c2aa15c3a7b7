"""MessagePack (msgpack/spec, spec.md) as plain values: bounded in bytes, values and depth. Extension types are refused."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_DEPTH = 32
_MAX_VALUES = 400_000
"""A list of numbers that stands for bytes has a value for each of them."""
_FIXMAP, _FIXARRAY, _FIXSTR = range(0x80, 0x90), range(0x90, 0xA0), range(0xA0, 0xC0)
_MAPS, _ARRAYS = {0xDE: 2, 0xDF: 4}, {0xDC: 2, 0xDD: 4}
_TEXTS, _BYTES = {0xD9: 1, 0xDA: 2, 0xDB: 4}, {0xC4: 1, 0xC5: 2, 0xC6: 4}
_CONSTANTS: dict[int, object] = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
_NEGATIVE = 0xE0


def parse_msgpack(data: bytes, what: str) -> object:
    """One value that fills `data`; texts are UTF-8, a map's keys texts, none of them twice. Raises MalformedInputError."""
    reader = Reader(memoryview(data), what)
    value = _value(reader, 0, iter(range(_MAX_VALUES)))
    if reader.remaining:
        raise reader.fail("MessagePack", f"{reader.remaining} bytes follow the value")
    return value


def _value(reader: Reader, depth: int, budget: Iterator[int]) -> object:
    if depth > _MAX_DEPTH or next(budget, None) is None:
        raise reader.fail("MessagePack", f"more than {_MAX_VALUES} values, or nested too deeply")
    kind = reader.u8("type")
    if kind < _FIXMAP.start:
        return kind
    if kind >= _NEGATIVE:
        return kind - 0x100
    if kind in _FIXMAP or kind in _MAPS:
        return _map(reader, _count(reader, kind, _FIXMAP, _MAPS), depth, budget)
    if kind in _FIXARRAY or kind in _ARRAYS:
        count = _count(reader, kind, _FIXARRAY, _ARRAYS)
        return [_value(reader, depth + 1, budget) for _ in range(min(count, reader.remaining + 1))]
    if kind in _FIXSTR or kind in _TEXTS:
        return _text(reader, _count(reader, kind, _FIXSTR, _TEXTS))
    return _scalar(reader, kind)


def _scalar(reader: Reader, kind: int) -> object:
    if kind in _BYTES:
        return bytes(reader.take(_big(reader, _BYTES[kind]), "bytes"))
    if kind in _CONSTANTS:
        return _CONSTANTS[kind]
    if kind in _NUMBERS:
        layout = _NUMBERS[kind]
        return struct.unpack(layout, reader.take(struct.calcsize(layout), "number"))[0]
    raise reader.fail("type", f"{kind:#x} is not supported")


def _count(reader: Reader, kind: int, fixed: range, sized: dict[int, int]) -> int:
    return kind - fixed.start if kind in fixed else _big(reader, sized[kind])


def _big(reader: Reader, size_bytes: int) -> int:
    return int.from_bytes(reader.take(size_bytes, "length"), "big")


def _map(reader: Reader, count: int, depth: int, budget: Iterator[int]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for _ in range(min(count, reader.remaining + 1)):
        key = _value(reader, depth + 1, budget)
        if not isinstance(key, str) or key in fields:
            raise reader.fail("key", "is not text, or occurs twice in one map")
        fields[key] = _value(reader, depth + 1, budget)
    return fields


def _text(reader: Reader, size_bytes: int) -> str:
    try:
        return bytes(reader.take(size_bytes, "text")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise reader.fail("text", "is not UTF-8") from error
