"""What is said beside a verdict of what scripts fetched: bytes of servers that the project chose, and no lock pins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teekit_verify.core.download.upstream import Why
from teekit_verify.core.errors import printable
from teekit_verify.core.url import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from teekit_verify.rebuild.network.used import NetworkUsed

_SHOWN = 8
_WHY = {
    Why.PORT: "another port than 80 and 443",
    Why.ADDRESS: "an address that is none of the public internet",
    Why.METHOD: "another method than GET, HEAD and POST",
    Why.NAME: "a name that is not known",
    Why.CONNECTION: "the connection failed",
    Why.CERTIFICATE: "the server's certificate is not valid",
    Why.ANSWER: "the answer was damaged, too long or incomplete",
    Why.SIZE: "too large",
    Why.TIME: "too slow",
    Why.COUNT: "too many requests",
    Why.FORM: "a request in a form that cannot be recorded",
}


def fetched_words(network: NetworkUsed) -> str:
    """For the line of the verdict."""
    files = len(network.files)
    return f"; with {files} file{'' if files == 1 else 's'} fetched by scripts"


def why_words(why: Why) -> str:
    return _WHY[why]


def network_words(network: NetworkUsed) -> Iterator[str]:
    """In sentences: what was fetched, what was not, and what only one build asked for."""
    if network.files:
        names = _some([f"{shown(one.url)} (sha256 {one.sha256.hex[:12]}...)" for one in network.files])
        how = (
            "the recording that was given has them"
            if network.is_replayed
            else "build A fetched, build B had the recording of it"
        )
        yield f"scripts were given files that no lock pins, from servers that the project chose ({how}): {names}"
    if network.missed:
        names = _some([f"{shown(one.url)} (build {one.build})" for one in network.missed])
        yield f"scripts asked for what the recording does not have, and got nothing: {names}"
    if network.not_fetched:
        names = _some([f"{printable(shown(one.asked))} ({_WHY[one.why]})" for one in network.not_fetched])
        yield f"scripts asked in vain for {names}"


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
