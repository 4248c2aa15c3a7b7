"""What rebuilders of a distribution say of the packages that went in, as reports and statements have it. It is told, and decides nothing."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, ClassVar

from teekit_verify.core.frozen import frozen
from teekit_verify.core.marks import ConfigDict, Field
from teekit_verify.documents import fields

_STRICT = ConfigDict(extra="forbid", strict=True)
Count = Annotated[int, Field(ge=0, le=fields.MAX_ITEMS)]


class PackageStanding(Enum):
    """What all rebuilders together say of a package. UNKNOWN: none has rebuilt it yet; NOT_LISTED: none knows this version."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    NOT_LISTED = "not_listed"


@frozen
class Answer:
    """What a rebuilder answered, as it was saved: the name of the file, and its digest."""

    __pydantic_config__: ClassVar = _STRICT
    name: fields.Name
    sha256: fields.Sha256


@frozen
class RebuiltCounts:
    """How many of the packages of an image others reproduced, by these answers. They name versions, and no digests."""

    __pydantic_config__: ClassVar = _STRICT
    good: Count
    bad: Count
    unknown: Count
    not_listed: Count
    answers: Annotated[tuple[Answer, ...], Field(min_length=1, max_length=16)]

    @property
    def total(self) -> int:
        return self.good + self.bad + self.unknown + self.not_listed

    @property
    def good_permille(self) -> int:
        """Rounded down, so that 1000 is all of them; 0 where there is none."""
        return 1000 * self.good // self.total if self.total else 0


@frozen
class NotGood:
    """A package that nobody is known to have reproduced."""

    __pydantic_config__: ClassVar = _STRICT
    name: fields.Name
    version: fields.Name
    architecture: fields.Name
    standing: PackageStanding


@frozen
class RebuiltInputs:
    """`not_good` are those that `counts` does not count as good."""

    __pydantic_config__: ClassVar = _STRICT
    counts: RebuiltCounts
    not_good: Annotated[tuple[NotGood, ...], Field(max_length=fields.MAX_ITEMS)]
