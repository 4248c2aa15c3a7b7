"""The feed: Atom (RFC 4287) of new releases, withdrawals and contradictions. Its times are those of the releases, never of the run.

A statement has no time in it, so a contradiction bears the day of its release; feed readers show it as new by its id all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from teekit_verify.report.site.views import Summary, Told

MOST_RELEASES = 100
"""The newest; contradictions are all there."""
NO_DAY = "1970-01-01T00:00:00Z"
"""Atom has no entry without a time: that of a release which does not say when it was published."""
_AUTHORITY = "tag:teekit-verify,2026:site"
"""RFC 4151: ids that stay the same wherever the site stands."""


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """`kind` is release, withdrawal or contradiction; `page` is relative to the site."""

    id: str
    kind: str
    title: str
    updated: str
    page: str
    text: str


def feed_id(address: str) -> str:
    return f"{address}/feed.atom" if address else _AUTHORITY


def entries(newest_first: Sequence[Summary], told: Sequence[Told]) -> list[FeedEntry]:
    """Contradictions first, then releases."""
    releases = [item for item in newest_first if item.page]
    return [*map(_contradiction, told), *(entry for item in releases[:MOST_RELEASES] for entry in _release(item))]


def latest(items: Sequence[FeedEntry]) -> str:
    return max((item.updated for item in items), default=NO_DAY)


def _contradiction(item: Told) -> FeedEntry:
    what = item.contradiction
    identity = _id("contradiction", item.release, what.conflict.value, *what.auditors, *item.evidence)
    title = f"CONTRADICTION about {item.release}: {item.text}"
    return FeedEntry(identity, "contradiction", title, _time(item.released), item.page, f"{item.release}: {item.text}.")


def _release(item: Summary) -> Iterator[FeedEntry]:
    if item.withdrawn is not None:
        identity = _id("withdrawal", item.name, item.withdrawn)
        title = f"Withdrawn: {item.name}"
        yield FeedEntry(identity, "withdrawal", title, _time(item.released), item.page, item.withdrawn)
    files = "".join(f" {name}: sha256 {digest}." for name, digest in item.artifacts)
    text = f"Image {item.image}, commit {item.commit or 'not stated'}.{files}"
    identity = _id("release", item.name, item.sha256)
    yield FeedEntry(identity, "release", f"Release {item.name}", _time(item.released), item.page, text)


def _time(day: date | None) -> str:
    return NO_DAY if day is None else f"{day.isoformat()}T00:00:00Z"


def _id(*parts: str) -> str:
    """Lengths keep parts apart, whatever is in them."""
    named = b"".join(b"%d:%b" % (len(data), data) for data in (part.encode(errors="surrogatepass") for part in parts))
    return f"{_AUTHORITY}/{sha256(named).hexdigest()}"
