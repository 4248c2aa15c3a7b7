"""The recording of what a build's scripts fetched: each exchange by its request, the bytes of each answer by their digest."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.download.upstream import Why  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.core.errors import TeekitError
from teekit_verify.core.marks import ConfigDict, Field
from teekit_verify.documents import codec, fields

SCHEMA: Literal["teekit-verify/network-recording/v1"] = "teekit-verify/network-recording/v1"
MOST_EXCHANGES = 5000
MOST_URL = 4096
MOST_HEADERS, MOST_HEADER_BYTES = 60, 1 << 12
EMPTY = Digest.of(Algorithm.SHA256, b"")
TELLING = ("accept", "accept-encoding", "content-type", "git-protocol", "range")
"""Headers of a request that servers answer by, in lower case; others (who asks, from where) are not part of what was asked."""

Method = Literal["GET", "HEAD", "POST"]
_Header = tuple[
    Annotated[str, Field(min_length=1, max_length=200)], Annotated[str, Field(max_length=MOST_HEADER_BYTES)]
]
Headers = Annotated[tuple[_Header, ...], Field(max_length=MOST_HEADERS)]
_Url = Annotated[str, Field(min_length=8, max_length=MOST_URL, pattern=r"^https?://[!-~]+$")]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as a recording knows it: equal ones get the same answer. `body` is the digest of what was sent along."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    method: Method
    url: _Url
    telling: Headers = ()
    body: fields.Sha256 = EMPTY


@dataclass(frozen=True, slots=True)
class Exchange:
    """`sha256` and `size_bytes` are those of the answer's body. `has_length`: whether its length was said before it.

    `not_fetched` is why there is no answer of a server; `status` is then that of the proxy's own, which has no body of note.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    asked: Asked
    status: Annotated[int, Field(ge=200, le=999)]
    headers: Headers = ()
    sha256: fields.Sha256 = EMPTY
    size_bytes: Annotated[int, Field(ge=0, le=1 << 40)] = 0
    has_length: bool = True
    not_fetched: Why | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """All of one build, in the order in which the answers ended."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    schema: Literal["teekit-verify/network-recording/v1"] = SCHEMA
    exchanges: Annotated[tuple[Exchange, ...], Field(max_length=MOST_EXCHANGES)] = ()

    @classmethod
    def parse(cls, data: bytes, where: str) -> Recording:
        """Raises TeekitError."""
        return codec.parse(cls, SCHEMA, data, where)

    def dump(self) -> bytes:
        return codec.dump(self)

    @property
    def sha256(self) -> Digest:
        return Digest.of(Algorithm.SHA256, self.dump())

    @property
    def bodies(self) -> dict[Digest, int]:
        """Of every answer that has bytes, their number by their digest. Raises TeekitError where one digest has two sizes."""
        sizes: dict[Digest, int] = {}
        for one in self.exchanges:
            if sizes.setdefault(one.sha256, one.size_bytes) != one.size_bytes:
                raise TeekitError(
                    f"a recording says two sizes of sha256 {one.sha256.hex}", hint="Make the recording again."
                )
        if sizes.pop(EMPTY, 0) != 0:
            raise TeekitError("a recording says a size of what is empty", hint="Make the recording again.")
        return sizes


@dataclass(slots=True)
class Answers:
    """The exchanges of a recording by what was asked: the first to who asks first, and so on; the last is given again."""

    by_request: defaultdict[Asked, list[Exchange]] = field(default_factory=lambda: defaultdict(list))
    given: defaultdict[Asked, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(cls, recording: Recording) -> Answers:
        made = cls()
        for one in recording.exchanges:
            made.by_request[one.asked].append(one)
        return made

    def next(self, asked: Asked) -> Exchange | None:
        """None for what the recording does not have. One caller at a time."""
        known = self.by_request.get(asked)
        if known is None:
            return None
        number = min(self.given[asked], len(known) - 1)
        self.given[asked] += 1
        return known[number]
