"""Elements of a DER value (ITU-T X.690, 8.1), as extensions of certificates hold them: tag and content, with lengths of up to two bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.binary import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOLEAN, INTEGER, OCTETS, OBJECT_IDENTIFIER, UTF8, SEQUENCE = 0x01, 0x02, 0x04, 0x06, 0x0C, 0x30
_LONG_FORM = 0x80


def elements(data: bytes, what: str) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each. Raises MalformedInputError, which calls the value `what`."""
    reader = Reader(memoryview(data), what)
    while reader.remaining:
        tag, size = reader.u8("tag"), reader.u8("length")
        if size > _LONG_FORM + 2 or size == _LONG_FORM:
            raise reader.fail("length", "is longer than an extension can be")
        if size > _LONG_FORM:
            size = int.from_bytes(reader.take(size - _LONG_FORM, "length"), "big")
        yield tag, bytes(reader.take(size, "content"))
