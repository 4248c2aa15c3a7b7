"""What goes wrong with a download, as typed values: whose fault it is, and whether another try may help."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING

from teekit_verify.core.errors import TeekitError
from teekit_verify.core.frozen import frozen
from teekit_verify.core.url import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from teekit_verify.core.digest import Digest

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@frozen
class RemoteFile:
    """One file, known by its bytes: `name` is for people, `urls` are tried in order (http, https or file)."""

    name: str
    size_bytes: int
    digest: Digest
    urls: tuple[str, ...]


class Reason(Enum):
    """Why a source did not give a file."""

    GONE = "gone"
    UNREACHABLE = "unreachable"
    OTHER_BYTES = "other bytes"


class Fault(Exception):  # noqa: N818 - it never leaves this package
    """One request that did not give the file.

    `passing`: the same request may succeed later. `silent`: nothing came in time. `slow`: too little came.
    `wait_seconds`: what the server asked for (Retry-After). `status`: of HTTP, if there was an answer. `proxy`: the one that is
    to blame, if one is.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        passing: bool = False,
        silent: bool = False,
        slow: bool = False,
        wait_seconds: float | None = None,
        status: int | None = None,
        proxy: str = "",
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.passing = passing
        self.silent = silent
        self.slow = slow
        self.wait_seconds = wait_seconds
        self.status = status
        self.proxy = proxy


class LocalError(TeekitError):
    """Not a source is at fault but this machine: a full disk, something in the way in the download store."""


@contextmanager
def of_this_machine(place: Path) -> Iterator[None]:
    """What the system says in the block is about files of ours: raised as LocalError."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            hint = f"Free some space on the disk of {place.parent}, and run it again: what was downloaded is kept."
        else:
            hint = f"Make {place.parent} writable, and remove what is in the way of {place.name}."
        raise LocalError(f"{place}: cannot be written: {error.strerror or error}", hint=hint) from error


@frozen
class Refusal:
    """Why one source did not give one file, after all tries. `passing`: it may, at another time. `source` can be shown."""

    source: str
    reason: Reason
    detail: str
    passing: bool
    proxy: str = ""

    @classmethod
    def of(cls, url: str, fault: Fault) -> Refusal:
        return cls(shown(url), fault.reason, fault.detail, fault.passing, fault.proxy)


@frozen
class Missing:
    """A file that no source gave, and what each of them said."""

    file: RemoteFile
    refusals: tuple[Refusal, ...]

    @property
    def reason(self) -> Reason:
        """Of the file: gone if one source says so and no other one may have it at another time."""
        reasons = {refusal.reason for refusal in self.refusals}
        if Reason.OTHER_BYTES in reasons:
            return Reason.OTHER_BYTES
        if Reason.GONE in reasons and not any(refusal.passing for refusal in self.refusals):
            return Reason.GONE
        return Reason.UNREACHABLE


class DownloadError(TeekitError):
    """Files that no source gave: unreachable, gone, or with other bytes than expected."""

    code = "inputs_unavailable"

    def __init__(self, missing: Sequence[Missing], *, more: str = "") -> None:
        first = missing[0]
        tried = "".join(f"\n  {one.reason.value}: {one.source}: {one.detail}" for one in first.refusals)
        others = f"\n  and {len(missing) - 1} more files are missing" if len(missing) > 1 else ""
        super().__init__(
            f"{first.file.name} ({first.file.digest}) could not be downloaded"
            f"{tried or f'{chr(10)}  there is no source to ask'}{others}{more}",
            hint=_hint(missing),
        )
        self.missing = tuple(missing)

    @property
    def facts(self) -> dict[str, object]:
        """For programs: each file, and each source with its reason."""
        return {"files": [_facts(one) for one in self.missing]}


class DocumentError(TeekitError):
    """A document, such as an index, that its source does not give."""

    def __init__(self, missing: Missing) -> None:
        said = "; ".join(f"{one.reason.value}: {one.detail}" for one in missing.refusals)
        super().__init__(f"{missing.file.name}: {said}", hint=_hint([missing]))
        self.missing = missing


def _facts(missing: Missing) -> dict[str, object]:
    return {
        "name": missing.file.name,
        "digest": str(missing.file.digest),
        "reason": missing.reason.value,
        "sources": [
            {"source": one.source, "reason": one.reason.value, "detail": one.detail} for one in missing.refusals
        ],
    }


def _hint(missing: Sequence[Missing]) -> str:
    """By the cause that has to be dealt with first."""
    reasons = {one.reason for one in missing}
    proxies = sorted({refusal.proxy for one in missing for refusal in one.refusals if refusal.proxy})
    if proxies:
        return f"Check the proxy {proxies[0]}, which the environment or apt's configuration names; what was downloaded is kept."
    if not any(one.refusals for one in missing):
        return "Name a mirror with --mirror, or somebody's copy of the inputs with --inputs."
    if Reason.GONE in reasons:
        return "Ask the publisher for its inputs, and name them with --inputs DIR or URL."
    if Reason.OTHER_BYTES in reasons:
        return "Name another source, with --mirror or --inputs; behind a captive portal, log in first. What was downloaded is kept."
    return "Run it again, later or on another network: what was downloaded is kept."
