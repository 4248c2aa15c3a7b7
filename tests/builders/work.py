"""How much a piece of code works, counted and not timed: the same on a machine that is busy with other things."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_IO = Path("/proc/thread-self/io")


class TooMuchWorkError(BaseException):
    """More calls than a test allows. No `except Exception` of the code under test may swallow it."""


@contextmanager
def bounded_calls(most: int) -> Iterator[None]:
    """Ends the block in its `most`-th call of a function, in Python or in C. A million take about a second."""
    left = most

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal left
        left -= event in {"call", "c_call"}
        if left < 0:
            raise TooMuchWorkError(f"more than {most} calls")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)


@contextmanager
def bounded_reading(most_bytes: int) -> Iterator[None]:
    """Fails after a block that read more from files than this (proc(5), `rchar`); what is mapped does not count."""
    before = _read_bytes()
    yield
    assert _read_bytes() - before <= most_bytes


def _read_bytes() -> int:
    fields = dict(line.split(": ") for line in _IO.read_text(encoding="ascii").splitlines())
    return int(fields["rchar"])
