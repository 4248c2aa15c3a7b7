"""Two texts token by token: what is between spaces, quotes, brackets, commas and equals signs."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING

from teekit_verify.explanation.causes.clocks import MAX_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(r"[^\s\"'`=,;()<>\[\]{}|]+")


def tokens_of(text: str) -> list[str]:
    """Of the text up to a limit."""
    return _TOKEN.findall(text[:MAX_TEXT])


def changed_tokens(a: str, b: str) -> Iterator[tuple[str, str]]:
    """Tokens that differ, side by side."""
    for one, other in zip_longest(tokens_of(a), tokens_of(b), fillvalue=""):
        if one != other:
            yield one, other
