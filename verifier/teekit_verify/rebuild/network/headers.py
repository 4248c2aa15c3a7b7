"""Which header fields go on to a server, which back to a script, and which are part of what was asked (RFC 9110, section 7.6)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from teekit_verify.core.download.upstream import NotFetchedError, Why
from teekit_verify.rebuild.network.recording import MOST_HEADER_BYTES, MOST_HEADERS, TELLING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from teekit_verify.core.download.upstream import Headers

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# Between two neighbours only.
_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
    | {"proxy-authenticate", "proxy-authorization", "proxy-authentication-info", "content-length", "host"}
)
# What would make an answer depend on an earlier one, which no other build has: it is to be whole.
_CONDITIONAL = frozenset(
    {"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "cookie"}
)
# What programs that fetch go by. The rest is of the moment, of who asks, or of a content delivery network.
_TOLD = frozenset(
    {"accept-ranges", "cache-control", "content-disposition", "content-encoding", "content-language", "content-range"}
    | {"content-type", "docker-content-digest", "docker-distribution-api-version", "etag", "last-modified", "link"}
    | {"location", "retry-after", "vary", "www-authenticate", "x-checksum-sha1", "x-checksum-sha256", "x-linked-etag"}
    | {"x-linked-size", "x-repo-commit", "x-pypi-last-serial"}
)


def passed_on(headers: Iterable[tuple[str, str]]) -> Headers:
    """Those of a request for its server. Raises NotFetchedError for a field that two readers may read differently."""
    found = tuple((name, value) for name, value in headers)
    if len(found) > MOST_HEADERS or any(len(value) > MOST_HEADER_BYTES for _, value in found):
        raise NotFetchedError(Why.FORM, "the request has too many header fields, or too long ones")
    for name, value in found:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise NotFetchedError(Why.FORM, "a header field of the request is malformed")
    hop = _HOP | _named(found)
    return tuple(pair for pair in found if pair[0].lower() not in hop | _CONDITIONAL)


def telling(headers: Iterable[tuple[str, str]]) -> Headers:
    """Those that are part of what was asked, in a fixed order."""
    found = ((name.lower(), value.strip()) for name, value in headers)
    return tuple(sorted(pair for pair in found if pair[0] in TELLING))


def kept(headers: Headers, *, with_length: bool = False) -> Headers:
    """Those of an answer that a script gets, from the server or the recording. Raises NotFetchedError where they are too many."""
    told = (_TOLD - _named(headers)) | ({"content-length"} if with_length else set())
    found = tuple((name, value) for name, value in headers if name.lower() in told)
    if len(found) > MOST_HEADERS or any(len(value) > MOST_HEADER_BYTES for _, value in found):
        raise NotFetchedError(Why.ANSWER, "the answer has too many header fields, or too long ones")
    if any(not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) for name, value in found):
        raise NotFetchedError(Why.ANSWER, "a header field of the answer is malformed")
    return found


def _named(headers: Headers) -> frozenset[str]:
    """What `Connection` names is between two neighbours, too."""
    values = (value for name, value in headers if name.lower() == "connection")
    return frozenset(word.strip().lower() for value in values for word in value.split(","))
