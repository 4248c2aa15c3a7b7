"""What came of one comparison, and the exit status of a command."""

from __future__ import annotations

from enum import Enum, IntEnum


class ExitStatus(IntEnum):
    """The exit status of every command."""

    HOLDS = 0
    DOES_NOT_HOLD = 1
    NO_VERDICT = 2


class Outcome(Enum):
    """What comparing one fact came to. Only MATCH is a pass.

    OPEN: a value is not known, and what is known of it agrees. IGNORED: not to be compared, as somebody says in writing.
    NOT_CHECKED: nothing to compare with, or nobody asked.
    """

    MATCH = "match"
    MISMATCH = "mismatch"
    OPEN = "open"
    IGNORED = "ignored"
    NOT_CHECKED = "not checked"
    ERROR = "error"
