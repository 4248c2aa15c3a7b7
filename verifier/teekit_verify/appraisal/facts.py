"""One compared fact: its subject, what came of it, and the reason as a value. Words for all of it are made in `wording.checks`.

Nothing here is a sentence, and nothing may be decided by one: decisions look at types, enums and digests. The classes are
also the typed form of report.json (schema v2), which is why each has a `kind`.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar

from teekit_verify.appraisal.reasons import (
    AsRequested,
    Because,
    DivergenceKindName,
    EventDifference,
    EventName,
    FirstDifference,
    ForgedText,
    Ignored,
    LaterState,
    LogsPart,
    NoValueInGroup,
    OtherSize,
    Reason,
    Refused,
    Requested,
    Said,
    SameEventAs,
    SeveralFit,
    Side,
    StateKind,
    StrayEvent,
    ValueNotKnown,
    Why,
)
from teekit_verify.appraisal.subjects import (
    ArtifactCheck,
    ArtifactPart,
    EventTextCheck,
    Fact,
    FactCheck,
    GivenCheck,
    GivenPart,
    Question,
    QuestionCheck,
    RegisterCheck,
    RegisterSource,
    StatedCheck,
    Subject,
)
from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import ConfigDict
from teekit_verify.core.outcome import Outcome  # noqa: TC001 - pydantic reads the annotations

__all__ = [
    "ArtifactCheck",
    "ArtifactPart",
    "AsRequested",
    "Because",
    "Check",
    "Choice",
    "DivergenceKindName",
    "EventDifference",
    "EventName",
    "EventTextCheck",
    "Fact",
    "FactCheck",
    "FirstDifference",
    "ForgedText",
    "GivenCheck",
    "GivenPart",
    "Ignored",
    "LaterState",
    "LogsPart",
    "Nearest",
    "NoValueInGroup",
    "OtherSize",
    "Question",
    "QuestionCheck",
    "Reason",
    "Refused",
    "RegisterCheck",
    "RegisterSource",
    "Requested",
    "Said",
    "SameEventAs",
    "SeveralFit",
    "Side",
    "StateKind",
    "StatedCheck",
    "StrayEvent",
    "Subject",
    "ValueNotKnown",
    "Why",
]

_STRICT = ConfigDict(extra="forbid", strict=True)


class Choice(Enum):
    """Of what the nearest one was taken, as none fits wholly."""

    GROUP = "group"
    ALTERNATIVE = "alternative"
    ACCEPTABLE = "acceptable"


@frozen
class Nearest:
    """What follows is said against `label`, the nearest of `count`."""

    __pydantic_config__: ClassVar = _STRICT
    choice: Choice
    label: str
    count: int = 0


@frozen
class Check:
    """One compared fact. `expected` and `found` are values as text (digests in hexadecimal), empty where there is none."""

    __pydantic_config__: ClassVar = _STRICT
    subject: Subject
    outcome: Outcome
    expected: str = ""
    found: str = ""
    reason: Reason | None = None
    nearest: tuple[Nearest, ...] = ()

    def __bool__(self) -> bool:
        raise TypeError("a Check has no truth value: look at its outcome")
