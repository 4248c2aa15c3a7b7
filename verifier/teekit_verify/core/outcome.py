"""The answer to one question about one fact, and the exit status of a command."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum


class ExitStatus(IntEnum):
    """The exit status of every command."""

    HOLDS = 0
    DOES_NOT_HOLD = 1
    NO_VERDICT = 2


class Outcome(Enum):
    """What comparing one fact came to. NOT_CHECKED and ERROR are never a pass."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NOT_CHECKED = "not checked"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Check:
    """One compared fact. `detail` says in words what was found, and is empty for a match."""

    name: str
    outcome: Outcome
    expected: str = ""
    found: str = ""
    detail: str = ""

    def __bool__(self) -> bool:
        raise TypeError("a Check has no truth value: look at its outcome")
