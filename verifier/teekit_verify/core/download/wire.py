"""urllib3's and the system's errors as faults; and what an HTTP status means for a download (RFC 9110, section 15)."""

from __future__ import annotations

import errno
import http.client
import os
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import urllib3.exceptions as wire

from teekit_verify.core.download.faults import Fault, Reason
from teekit_verify.core.errors import printable

_SHOWN = 160
_PASSING_CLIENT_ERRORS = frozenset({408, 421, 425, 429})
_GONE = frozenset({404, 410})
_PROXY_WANTS_LOGIN = 407
_SERVER_ERRORS = 500
_NO_SUCH_NAME = frozenset(
    number for name in ("EAI_NONAME", "EAI_NODATA") if (number := getattr(socket, name, None)) is not None
)


def status_fault(status: int, reason: str, retry_after: str, proxy: str) -> Fault:
    """For an answer that is not the file."""
    detail = f"HTTP {status} {printable(reason[:_SHOWN])}".rstrip() + _through(proxy)
    if status in _GONE:
        return Fault(Reason.GONE, detail, status=status)
    if status == _PROXY_WANTS_LOGIN:
        return Fault(Reason.UNREACHABLE, detail, status=status, proxy=proxy)
    passing = status in _PASSING_CLIENT_ERRORS or status >= _SERVER_ERRORS
    wait = _seconds(retry_after) if passing else None
    return Fault(Reason.UNREACHABLE, detail, passing=passing, wait_seconds=wait, status=status)


def _seconds(retry_after: str) -> float | None:
    """Retry-After: seconds, or a date (RFC 9110, section 10.2.3)."""
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (when - datetime.now(UTC)).total_seconds()


def fault_of(error: Exception, proxy: str) -> Fault:
    """What stopped a request: in our words, because messages of libraries differ by version and hold addresses."""
    if isinstance(error, wire.ProxyError):
        cause = error.original_error
        refused = isinstance(cause, OSError) and str(cause).startswith("Tunnel connection failed: 4")
        detail = f"the proxy {proxy} fails: {_words(cause)}"
        return Fault(Reason.UNREACHABLE, detail, passing=not refused, proxy=proxy)
    detail = _words(error) + _through(proxy)
    if _is_timeout(error):
        return Fault(Reason.UNREACHABLE, detail, passing=True, silent=True)
    return Fault(Reason.UNREACHABLE, detail, passing=_is_passing(error))


def _is_timeout(error: BaseException) -> bool:
    """Of urllib3 also a refused connection is a kind of timeout."""
    if isinstance(error, wire.NewConnectionError):
        return isinstance(_root(error), TimeoutError)
    return isinstance(error, wire.TimeoutError | TimeoutError)


def _through(proxy: str) -> str:
    return f" (through the proxy {proxy})" if proxy else ""


def _is_passing(error: Exception) -> bool:
    cause = _root(error)
    if isinstance(cause, socket.gaierror):
        return cause.errno not in _NO_SUCH_NAME
    if isinstance(cause, ssl.SSLCertVerificationError):
        return False
    return isinstance(
        error, wire.NewConnectionError | wire.ProtocolError | wire.SSLError | OSError | http.client.HTTPException
    )


def _root(error: BaseException) -> BaseException:
    """The system's error under those of the library."""
    for _ in range(8):
        inner = next((item for item in error.args if isinstance(item, BaseException)), None)
        below = inner or error.__cause__ or error.__context__
        if below is None or (isinstance(error, OSError) and error.errno is not None):
            break
        error = below
    return error


def _words(error: BaseException) -> str:
    cause = _root(error)
    if _is_timeout(error):
        return "timed out"
    if isinstance(cause, socket.gaierror):
        return "its name is not known" if cause.errno in _NO_SUCH_NAME else "the name server failed"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {printable(cause.verify_message[:_SHOWN])}"
    number = cause.errno if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) else None
    if number in errno.errorcode:
        return os.strerror(number or 0)
    if isinstance(error, wire.ProtocolError):
        return "the connection ended early"
    return printable(f"{type(cause).__name__}: {cause}"[:_SHOWN])
