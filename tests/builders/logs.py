"""A busy machine: what a program beside us has printed is in its log only some time after it has ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from teekit_verify.core import output

if TYPE_CHECKING:
    import pytest


def are_written_late(monkeypatch: pytest.MonkeyPatch) -> None:
    in_time = output.Log.take

    def late(log: output.Log, data: bytes) -> None:
        time.sleep(1)
        in_time(log, data)

    monkeypatch.setattr(output.Log, "take", late)
