"""The wire format of protocol buffers (protobuf.dev, Encoding): a message's bytes to its fields, bounded, nothing skipped.

The library with its generated code would take what it does not know in silence; the few messages read here must have no
field that nobody has looked at.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader
from teekit_verify.core.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Collection

_VARINT, _LENGTH_DELIMITED = 0, 2
_MAX_VARINT_BYTES = 10
_MAX_FIELDS = 10_000


@frozen
class Message:
    """A message of the type `what`: for each field number its values in order, integers and bytes apart."""

    what: str
    integers: dict[int, list[int]] = field(default_factory=dict)
    chunks: dict[int, list[memoryview]] = field(default_factory=dict)

    def integer(self, number: int) -> int:
        """The last one counts; 0 where there is none, as proto3 leaves it out."""
        return self.integers.get(number, [0])[-1]

    def chunk(self, number: int) -> memoryview:
        """Bytes, text, or a message; empty where there is none."""
        return self.chunks.get(number, [memoryview(b"")])[-1]


def parse_message(
    data: memoryview, what: str, *, integers: Collection[int] = (), chunks: Collection[int] = ()
) -> Message:
    """`integers` and `chunks` are the numbers of the fields that a message of this type has.

    Raises MalformedInputError, with offsets from the message's own first byte, for other fields and wire types, and for
    what does not end where the bytes end.
    """
    reader, message = Reader(data, what), Message(what)
    for _ in range(_MAX_FIELDS):
        if not reader.remaining:
            return message
        key = _varint(reader, "key")
        number, wire_type = key >> 3, key & 7
        name = f"field {number}"
        if wire_type == _VARINT and number in integers:
            message.integers.setdefault(number, []).append(_varint(reader, name))
        elif wire_type == _LENGTH_DELIMITED and number in chunks:
            message.chunks.setdefault(number, []).append(reader.take(_varint(reader, name), name))
        else:
            raise reader.fail(name, f"is not known (wire type {wire_type})")
    raise reader.fail("end", f"has more than {_MAX_FIELDS} fields")


def _varint(reader: Reader, name: str) -> int:
    """At most 64 bits, in groups of 7, the lowest first; only the last byte has its highest bit clear."""
    value = 0
    for position in range(_MAX_VARINT_BYTES):
        byte = reader.u8(name)
        value |= (byte & 0x7F) << (7 * position)
        if not byte & 0x80:
            break
    else:
        raise reader.fail(name, f"is an integer of more than {_MAX_VARINT_BYTES} bytes")
    if value >> 64:
        raise reader.fail(name, "is an integer of more than 64 bits")
    return value
