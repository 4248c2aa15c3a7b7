"""CBOR (RFC 8949) in its shortest form, for tests."""

from __future__ import annotations

from typing import Any


class Tag:
    def __init__(self, number: int, value: object) -> None:
        self.number, self.value = number, value


def encode(value: Any) -> bytes:
    match value:
        case bool() | None:
            return bytes([{False: 0xF4, True: 0xF5, None: 0xF6}[value]])
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case list():
            return _head(4, len(value)) + b"".join(map(encode, value))
        case dict():
            return _head(5, len(value)) + b"".join(encode(key) + encode(item) for key, item in value.items())
        case Tag():
            return _head(6, value.number) + encode(value.value)
        case _:
            raise TypeError(value)


def _head(kind: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([kind << 5 | argument])
    power = next(power for power in range(4) if argument < 1 << (8 << power))
    return bytes([kind << 5 | 24 + power]) + argument.to_bytes(1 << power, "big")
