"""One answer of an HTTP service with its headers, in memory: for services that answer questions, where the store has files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core.download.faults import Fault
from teekit_verify.core.download.network import Network
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.url import redacted

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHUNK_BYTES = 1 << 16
_PATIENCE_SECONDS = 30.0
_LONGEST_SECONDS = 120.0  # for the whole of an answer, which has a few KiB


class NoAnswerError(TeekitError):
    """A service cannot be reached, or does not answer to the end."""

    code = "no_answer"


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """`headers` by their names in lower case; `status` may be one of an error."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(url: str, most_bytes: int) -> ServiceAnswer:
    """Proxies are those of the environment. Raises NoAnswerError where there is no answer, or one of more than `most_bytes`."""
    where = printable(redacted(url))
    try:
        with Network().asked(url, {}, _PATIENCE_SECONDS, any_status=True) as answer:
            found, deadline = bytearray(), time.monotonic() + _LONGEST_SECONDS
            while chunk := answer.stream.read(_CHUNK_BYTES):
                found += chunk
                if len(found) > most_bytes:
                    raise NoAnswerError(f"{where}: answers with more than {most_bytes} bytes")
                if time.monotonic() > deadline:
                    raise NoAnswerError(f"{where}: did not answer within {_LONGEST_SECONDS:.0f} s")
            return ServiceAnswer(answer.status, answer.headers, bytes(found))
    except Fault as fault:
        raise NoAnswerError(f"{where}: {fault.detail}", hint="Check the network, or ask another service.") from fault
