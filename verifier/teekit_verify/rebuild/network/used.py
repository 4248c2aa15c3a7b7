"""What a rebuild's scripts fetched, for its report: each file by its address and digest, and what they did not get."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from teekit_verify.core.download.upstream import Why  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.core.marks import ConfigDict, Field
from teekit_verify.documents import fields  # noqa: TC001 - pydantic reads the annotations
from teekit_verify.rebuild.network.recording import EMPTY, MOST_EXCHANGES

if TYPE_CHECKING:
    from teekit_verify.rebuild.network.recording import Recording
    from teekit_verify.rebuild.network.room import Room
    from teekit_verify.rebuild.network.sources import Player

_MOST = MOST_EXCHANGES


@dataclass(frozen=True, slots=True)
class FetchedFile:
    """An answer of a server: what was asked, the HTTP status, and the bytes that came."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    method: fields.Name
    url: fields.Text
    status: Annotated[int, Field(ge=200, le=999)]
    sha256: fields.Sha256
    size_bytes: Annotated[int, Field(ge=0)]

    @property
    def is_file(self) -> bool:
        """Bytes that a build may have used: no redirect, no error, nothing empty."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES and self.sha256 != EMPTY


@dataclass(frozen=True, slots=True)
class NotFetched:
    """A request without an answer of a server: `asked` is what the script wrote, or the address."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    asked: fields.Text
    why: Why


@dataclass(frozen=True, slots=True)
class Missed:
    """A request of a build that had only a recording, which has no answer to it."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    build: Literal["A", "B"]
    method: fields.Name
    url: fields.Text


@dataclass(frozen=True, slots=True)
class NetworkUsed:
    """`is_replayed`: no server was asked in this run, as a recording was given. `recording_sha256` is of its file."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid", strict=True)
    is_replayed: bool
    recording_sha256: fields.Sha256
    fetched: Annotated[tuple[FetchedFile, ...], Field(max_length=_MOST)] = ()
    not_fetched: Annotated[tuple[NotFetched, ...], Field(max_length=2 * _MOST)] = ()
    missed: Annotated[tuple[Missed, ...], Field(max_length=2 * _MOST)] = ()

    @property
    def files(self) -> tuple[FetchedFile, ...]:
        return tuple(one for one in self.fetched if one.is_file)


def used(
    recording: Recording, rooms: tuple[Room, Room], players: dict[Literal["A", "B"], Player], *, is_replayed: bool
) -> NetworkUsed:
    """Of both builds; each thing once."""
    fetched = (
        FetchedFile(one.asked.method, one.asked.url, one.status, one.sha256, one.size_bytes)
        for one in recording.exchanges
        if one.not_fetched is None
    )
    failed = [NotFetched(one.asked.url, one.not_fetched) for one in recording.exchanges if one.not_fetched is not None]
    refused = [NotFetched(one.asked, one.why) for room in rooms for one in room.proxy.refused]
    missed = (Missed(build, one.method, one.url) for build, player in players.items() for one in player.missed)
    return NetworkUsed(
        is_replayed,
        recording.sha256,
        tuple(dict.fromkeys(fetched)),
        tuple(dict.fromkeys((*failed, *refused))),
        tuple(dict.fromkeys(missed))[: 2 * _MOST],
    )
