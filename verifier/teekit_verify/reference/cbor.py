"""CBOR (RFC 8949) to plain values: bounded in depth and number, definite lengths only, no key twice.

What manifests of reference values need: integers, byte and text strings, arrays, maps, tags, booleans and null. Floating point
numbers and indefinite lengths are refused: no register is one.
"""

from __future__ import annotations

from typing import Union

from teekit_verify.core.binary import Reader
from teekit_verify.core.frozen import frozen

_SIMPLE = 7
_CONSTANTS = {20: False, 21: True, 22: None}
_INLINE, _LONGEST_ARGUMENT = 24, 27
_MAX_DEPTH, _MAX_ITEMS = 32, 100_000

Value = Union[int, bytes, str, bool, None, list["Value"], dict["Key", "Value"], "Tagged"]
Key = int | str | bytes


@frozen
class Tagged:
    number: int
    value: Value


def parse_cbor(data: bytes | memoryview, what: str) -> Value:
    """One item that takes all of the bytes. Raises MalformedInputError."""
    parser = _Parser(Reader(memoryview(data), what))
    value = parser.item(0)
    if parser.reader.remaining:
        raise parser.reader.fail("end", f"{parser.reader.remaining} bytes follow")
    return value


class _Parser:
    def __init__(self, reader: Reader) -> None:
        self.reader, self._count = reader, 0

    def item(self, depth: int) -> Value:
        self._count += 1
        if depth > _MAX_DEPTH or self._count > _MAX_ITEMS:
            raise self.reader.fail("item", f"more than {_MAX_DEPTH} levels or {_MAX_ITEMS} items")
        kind, argument = self._head()
        match kind:
            case 0:  # _UNSIGNED
                return argument
            case 1:  # _NEGATIVE
                return -1 - argument
            case 2:  # _BYTES
                return bytes(self.reader.take(argument, "byte string"))
            case 3:  # _TEXT
                return self._text(argument)
            case 4:  # _ARRAY
                return [self.item(depth + 1) for _ in range(self._few(argument))]
            case 5:  # _MAP
                return self._map(argument, depth)
            case 6:  # _TAG
                return Tagged(argument, self.item(depth + 1))
            case _:
                return self._constant(argument)

    def _constant(self, argument: int) -> bool | None:
        if argument not in _CONSTANTS:
            raise self.reader.fail("simple value", f"{argument} is not supported")
        return _CONSTANTS[argument]

    def _head(self) -> tuple[int, int]:
        byte = self.reader.u8("head")
        kind, argument = byte >> 5, byte & 0x1F
        if argument >= _INLINE:
            if argument > _LONGEST_ARGUMENT or kind == _SIMPLE:
                raise self.reader.fail("head", "an indefinite length or a number of another kind is not supported")
            argument = int.from_bytes(self.reader.take(1 << (argument - _INLINE), "argument"), "big")
        return kind, argument

    def _few(self, count: int) -> int:
        """An item takes a byte at least."""
        if count > self.reader.remaining:
            raise self.reader.fail("count", f"{count} items in {self.reader.remaining} bytes")
        return count

    def _text(self, size_bytes: int) -> str:
        data = bytes(self.reader.take(size_bytes, "text"))
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.reader.fail("text", "is not UTF-8") from error

    def _map(self, count: int, depth: int) -> dict[Key, Value]:
        found: dict[Key, Value] = {}
        for _ in range(self._few(count)):
            key = self.item(depth + 1)
            if isinstance(key, bool) or not isinstance(key, (int, str, bytes)) or key in found:
                raise self.reader.fail("key", "occurs twice, or is neither an integer nor a string")
            found[key] = self.item(depth + 1)
        return found
