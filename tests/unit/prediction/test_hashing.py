"""Shared hashing against plain hashlib, and how much of it there is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from builders.uki import build_uki
from teekit_verify.artifacts.pe import Span
from teekit_verify.artifacts.uki import parse_uki
from teekit_verify.core.digest import Algorithm
from teekit_verify.prediction.hashing import Message, digest_messages
from teekit_verify.prediction.uki import predict_uki

if TYPE_CHECKING:
    import pytest

NEW = hashlib.new
DATA = bytes(range(256)) * 4
SPANS = st.builds(
    lambda start, size: Span(start, min(len(DATA), start + size)), st.integers(0, 1023), st.integers(1, 99)
)
MESSAGES = st.lists(st.one_of(SPANS, st.binary(max_size=5)), max_size=4).map(tuple)


def plain(message: Message) -> bytes:
    return b"".join(DATA[part.start : part.stop] if isinstance(part, Span) else part for part in message)


@given(st.dictionaries(MESSAGES, st.sets(st.sampled_from(list(Algorithm)), min_size=1), max_size=8))
def test_each_digest_is_hashlibs(wanted: dict[Message, set[Algorithm]]) -> None:
    table = digest_messages(memoryview(DATA), wanted)
    assert {key: digest.value for key, digest in table.items()} == {
        (message, algorithm): hashlib.new(algorithm.value, plain(message)).digest()
        for message, algorithms in wanted.items()
        for algorithm in algorithms
    }


class Counting:
    """Stands for hashlib and counts the bytes it is given."""

    hashed_bytes = 0

    def __init__(self, name: str, *, inner: Any = None) -> None:
        self.name = name
        self.inner = inner or NEW(name)

    def update(self, data: bytes) -> None:
        Counting.hashed_bytes += len(data)
        self.inner.update(data)

    def copy(self) -> Counting:
        return Counting(self.name, inner=self.inner.copy())

    @property
    def digest_size(self) -> int:
        return int(self.inner.digest_size)

    def digest(self) -> bytes:
        return bytes(self.inner.digest())


def test_a_large_initrd_is_hashed_once_as_a_section_and_as_what_the_kernel_gets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the UKI as a whole that makes two times its size for each of the two algorithms, and a little."""
    initrd = bytes(1_000_003)
    data = build_uki(sections=[(".osrel", b"ID=x\n"), (".cmdline", b"quiet"), (".linux", b"MZ"), (".initrd", initrd)])
    uki = parse_uki(data)
    monkeypatch.setattr(hashlib, "new", lambda name, **_: Counting(name))
    predict_uki(uki, vtpm=True, secure_boot=True)
    assert 4 * len(initrd) < Counting.hashed_bytes < 4 * len(data) + 10_000


def test_messages_of_very_many_parts() -> None:
    parts: Message = tuple(Span(at, at + 1) for at in range(1024))
    table = digest_messages(memoryview(DATA), {parts: [Algorithm.SHA256]})
    assert table[parts, Algorithm.SHA256].value == hashlib.sha256(DATA).digest()
