"""Bounded reading: values by struct's rules, and every overrun named with field and offset."""

from __future__ import annotations

import struct

import pytest

from teekit_verify.appraisal.facts import Check, StatedCheck
from teekit_verify.core.binary import Reader
from teekit_verify.core.errors import MalformedInputError, printable
from teekit_verify.core.outcome import Outcome


def test_values_come_in_order_and_little_endian() -> None:
    data = struct.pack("<BHIQ", 1, 0x203, 0x4050607, 0x8090A0B0C0D0E0F) + b"rest" + struct.pack("<BH", 7, 8)
    reader = Reader(memoryview(data), "thing")
    assert (reader.u8("a"), reader.u16("b"), reader.u32("c"), reader.u64("d")) == (
        1,
        0x203,
        0x4050607,
        0x8090A0B0C0D0E0F,
    )
    assert bytes(reader.take(4, "e")) == b"rest"
    assert reader.unpack("BH", "f") == (7, 8)  # "<": no padding in between
    assert reader.remaining == 0
    assert bytes(reader.take(0, "nothing")) == b""


@pytest.mark.parametrize(("method", "size"), [("u8", 1), ("u16", 2), ("u32", 4), ("u64", 8)])
def test_an_overrun_names_field_and_offset(method: str, size: int) -> None:
    reader = Reader(memoryview(bytes(size + 1)), "thing", base=0x100)
    getattr(reader, method)("fine")
    reader.take(1, "last")
    with pytest.raises(MalformedInputError) as caught:
        getattr(reader, method)("count")
    assert caught.value.message == f"thing: count at offset {0x101 + size:#x}: needs {size} bytes, 0 are left"
    assert (caught.value.field, caught.value.offset) == ("count", 0x101 + size)


@pytest.mark.parametrize("size", [-1, 5, 1 << 64])
def test_sizes_out_of_bounds_move_nothing(size: int) -> None:
    reader = Reader(memoryview(b"four"), "thing")
    with pytest.raises(MalformedInputError, match=rf"needs {size} bytes, 4 are left"):
        reader.take(size, "field")
    assert reader.remaining == 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a b", "a b"), ("\x1b[31m\n\t", r"\x1b[31m\n\t"), ("\ud800", r"\ud800"), ("é\u202e", r"é\u202e")],
)
def test_foreign_text_is_made_safe_for_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_check_has_no_truth_value() -> None:
    with pytest.raises(TypeError, match="look at its outcome"):
        bool(Check(StatedCheck("PCR4"), Outcome.MATCH))
