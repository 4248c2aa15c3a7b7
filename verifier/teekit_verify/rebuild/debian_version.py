"""Versions of Debian packages in Debian's order.

Source: Debian Policy 4.7, 5.6.12 (Version): epoch, upstream version, revision; letters sort before all else, and a tilde before
even the end of a part. As dpkg does, an absent epoch or revision is that of zero.
"""

from __future__ import annotations

import re
from functools import total_ordering
from itertools import zip_longest

_DIGITS = re.compile(r"([^0-9]*)([0-9]*)", re.ASCII)
_BEFORE_END, _END, _AFTER_LETTERS = -1, 0, 256


@total_ordering
class DebianVersion:
    """A version to be compared; `1.0`, `0:1.0` and `1.0-0` are equal, whatever their text."""

    __slots__ = ("_key", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        epoch, found, rest = text.partition(":")
        if not found:
            epoch, rest = "0", text
        upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
        self._key = (_number(epoch), _part(upstream), _part(revision))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DebianVersion) and self._compare(other) == 0

    def __lt__(self, other: DebianVersion) -> bool:
        return self._compare(other) < 0

    def __hash__(self) -> int:
        raise TypeError("versions of different text may be equal")

    def _compare(self, other: DebianVersion) -> int:
        if self._key[0] != other._key[0]:
            return -1 if self._key[0] < other._key[0] else 1
        return _compare_parts(self._key[1], other._key[1]) or _compare_parts(self._key[2], other._key[2])


def _number(digits: str) -> tuple[int, str]:
    """In the order of its value: length without leading zeros, then digits. int() refuses very long ones."""
    plain = digits.lstrip("0")
    return len(plain), plain


def _part(text: str) -> list[tuple[tuple[int, ...], tuple[int, str]]]:
    """Alternately the weights of non-digits and a number, as the policy compares them from left to right."""
    return [(tuple(map(_weight, words)), _number(digits)) for words, digits in _DIGITS.findall(text) if words or digits]


def _weight(character: str) -> int:
    if character == "~":
        return _BEFORE_END
    return ord(character) if character.isascii() and character.isalpha() else ord(character) + _AFTER_LETTERS


def _compare_parts(
    one: list[tuple[tuple[int, ...], tuple[int, str]]], other: list[tuple[tuple[int, ...], tuple[int, str]]]
) -> int:
    nothing = ((), (0, ""))
    for (words, number), (other_words, other_number) in zip_longest(one, other, fillvalue=nothing):
        for left, right in zip_longest(words, other_words, fillvalue=_END):
            if left != right:
                return -1 if left < right else 1
        if number != other_number:
            return -1 if number < other_number else 1
    return 0
