"""One answer of an HTTP service with its headers, in memory: for services that answer questions, where core.download has files."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from teekit_verify.core import download
from teekit_verify.core.errors import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHUNK_BYTES = 1 << 16
_LONGEST_SECONDS = 120.0  # for the whole of an answer, which has a few KiB


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` by their names in lower case; `status` may be one of an error."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(url: str, most_bytes: int) -> Answer:
    """Raises DownloadError where there is no answer, or one of more than `most_bytes`."""
    try:
        response = download._open(url, 0)  # noqa: SLF001 - the only place that opens connections
    except (OSError, ValueError, http.client.HTTPException) as error:
        if not hasattr(error, "code") or not hasattr(error, "headers"):
            raise download.DownloadError(printable(f"{url}: {error}")) from error
        response = error
    try:
        with response:
            body = _body(response, url, most_bytes)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status or 0, headers, body)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise download.DownloadError(printable(f"{url}: {error}")) from error


def _body(response: object, url: str, most_bytes: int) -> bytes:
    found, deadline = bytearray(), time.monotonic() + _LONGEST_SECONDS
    while chunk := response.read1(_CHUNK_BYTES):  # type: ignore[attr-defined]
        found += chunk
        if time.monotonic() > deadline:
            raise download.DownloadError(printable(f"{url}: did not answer within {_LONGEST_SECONDS:.0f} s"))
        if len(found) > most_bytes:
            raise download.DownloadError(printable(f"{url}: answers with more than {most_bytes} bytes"))
    return bytes(found)
