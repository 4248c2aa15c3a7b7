"""Digests of many overlapping pieces of one large buffer: every byte is hashed once per algorithm where that is enough.

Messages that begin alike share the work: the state after `.initrd` serves PCR 11 (the section) and PCR 9 (the section
and what the stub appends). hashlib releases the interpreter lock, so algorithms and messages run in parallel threads.
"""

from __future__ import annotations

import hashlib
from itertools import groupby
from typing import TYPE_CHECKING

from teekit_verify.artifacts.pe import Span
from teekit_verify.core.beside import on_threads
from teekit_verify.core.digest import Algorithm, Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Message = tuple[Span | bytes, ...]
"""What one digest covers, in order: spans of the buffer, and bytes that are not in it."""

DigestTable = dict[tuple[Message, Algorithm], Digest]


def digest_messages(data: memoryview, wanted: Mapping[Message, Iterable[Algorithm]]) -> DigestTable:
    """The digest of each message with each of its algorithms; spans refer to `data`."""
    jobs: list[tuple[Algorithm, list[Message]]] = []
    for algorithm in Algorithm:
        messages = [message for message, algorithms in wanted.items() if algorithm in algorithms]
        jobs += [(algorithm, alike) for alike in _grouped(messages, 0)]
    jobs.sort(key=lambda job: max(map(_size_bytes, job[1])), reverse=True)
    table: DigestTable = {}
    for part in on_threads(lambda job: _digest_alike(data, *job), jobs):
        table.update(part)
    return table


def _digest_alike(data: memoryview, algorithm: Algorithm, messages: list[Message]) -> DigestTable:
    """Digests of messages that share their first part. Each step takes one more part; a hostile image has many."""
    table: DigestTable = {}
    steps = [(hashlib.new(algorithm.value, usedforsecurity=False), messages, 0)]
    while steps:
        state, alike, depth = steps.pop()  # `state` has taken the first `depth` parts, which are common to `alike`
        for message in alike:
            if len(message) == depth:
                table[message, algorithm] = Digest(algorithm, state.digest())
        for group in _grouped([message for message in alike if len(message) > depth], depth):
            branch = state.copy()
            part = group[0][depth]
            branch.update(data[part.start : part.stop] if isinstance(part, Span) else part)
            steps.append((branch, group, depth + 1))
    return table


def _grouped(messages: list[Message], depth: int) -> list[list[Message]]:
    """Messages with the same part at `depth` together; those that end before it as one group."""

    def key(message: Message) -> tuple[int, int, int, bytes]:
        if len(message) <= depth:
            return (0, 0, 0, b"")
        part = message[depth]
        return (1, part.start, part.stop, b"") if isinstance(part, Span) else (2, 0, 0, part)

    return [list(group) for _, group in groupby(sorted(messages, key=key), key)]


def _size_bytes(message: Message) -> int:
    return sum(part.size_bytes if isinstance(part, Span) else len(part) for part in message)
