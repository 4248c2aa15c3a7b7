"""What two orders of the same lines, names or words give away: pure questions with yes or no."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from teekit_verify.explanation.causes.tokens import tokens_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEARLY = 0.8
_MIN_MOVED = 3


def sorted_by_locale(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether one order is that of bytes, and the other one alphabetical in another way: without regard to case and
    punctuation, as most locales have it, or with z after s, as Estonian has it (reprotest's et_EE).
    """
    return any(
        list(left) == sorted(left, key=_bytes)
        and any(_nearly_sorted([*map(key, right)]) for key in (_letters, _estonian))
        for left, right in ((one, other), (other, one))
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum()) or text


def _estonian(text: str) -> str:
    return _letters(text).replace("z", "s~")


def _nearly_sorted(keys: list[str]) -> bool:
    """Every locale places a few letters anew."""
    return sum(left <= right for left, right in pairwise(keys)) >= _NEARLY * (len(keys) - 1) > 0


def names_a_file(line: str) -> bool:
    """A path, or a name with an extension."""
    return re.match(r"[^/\s]*/\S|\S+\.[a-zA-Z]\w{0,5}\b", line.strip()) is not None


def words_moved(a: str, b: str) -> bool:
    """The same words, three or more of them at other places."""
    one, other = (tokens_of(text) for text in (a, b))
    return sorted(one) == sorted(other) and sum(map(str.__ne__, one, other)) >= _MIN_MOVED
