"""Addresses as text; nothing here opens a connection (core.download does)."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from teekit_verify.core.errors import TeekitError

_SCHEMES = frozenset({"http", "https", "file"})


def require_address(url: str, what: str) -> str:
    """`url` without a trailing slash. Raises TeekitError unless it is an http, https or file address."""
    if urlsplit(url).scheme not in _SCHEMES:
        raise TeekitError(f"{what} is an http, https or file address, found {url[:80]!r}")
    return url.rstrip("/")


def join(base: str, path: str) -> str:
    """The address of a file below `base`; `path` is percent-encoded on the way."""
    return f"{base.rstrip('/')}/{quote(path)}"


def last_folder(url: str) -> str:
    """The last part of the address's path: `debian` for a mirror of Debian."""
    return urlsplit(url).path.rstrip("/").rpartition("/")[2]


def decoded(text: str) -> str:
    """Percent-encoded text, decoded. Raises UnicodeDecodeError if that is not UTF-8."""
    return unquote(text, errors="strict")
