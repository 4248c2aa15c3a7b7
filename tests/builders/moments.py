"""How long a test waits for what is to be silent: on a busy machine, something else may be the silent one at first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from teekit_guest.fetch import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

MOMENTS = (0.2, 1.0, 5.0, 25.0)
"""Seconds."""


def cut_off(ask: Callable[[float], object]) -> str:
    """What the guest says of a server that `ask` gave some seconds."""
    said = ""
    for moment in MOMENTS:
        with pytest.raises(Unreachable) as caught:
            ask(moment)
        said = str(caught.value)
        if "did not answer within" in said:
            break
    return said
