"""Addresses as text; nothing here opens a connection (core.download does)."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

from teekit_verify.core.errors import TeekitError, printable

_ADDRESS = re.compile(r"(https?://[^/?#\s]+|file://(?=/))(/[^?#\s]*)?")
_SHOWN = 80
_USER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^/\s?#]*@")
_QUERY = re.compile(r"(://[^?\s]*)\?\S*")


def require_address(url: str, what: str) -> str:
    """`url` without a trailing slash. Raises TeekitError unless it is an http, https or file address of a folder.

    Addresses go into requests and into apt's sources.list, so they have no spaces, no control characters and no query.
    """
    if not (_ADDRESS.fullmatch(url) and url.isascii() and url.isprintable()):
        raise TeekitError(
            f"{what} is an http, https or file address, found '{printable(redacted(url)[:_SHOWN])}'",
            hint="Write it like http://mirror.example.org or file:///srv/mirror.",
        )
    return url.rstrip("/")


def join(base: str, path: str) -> str:
    """The address of a file below `base`; `path` is percent-encoded on the way."""
    return f"{base.rstrip('/')}/{quote(path)}"


def of_file(path: str) -> str:
    """The `file:` address of an absolute path."""
    return f"file://{quote(path)}"


def last_folder(url: str) -> str:
    """The last part of the address's path: `debian` for a mirror of Debian; empty for what is no address."""
    try:
        return urlsplit(url).path.rstrip("/").rpartition("/")[2]
    except ValueError:
        return ""


def decoded(text: str) -> str:
    """Percent-encoded text, decoded. Raises UnicodeDecodeError if that is not UTF-8."""
    return unquote(text, errors="strict")


def path_of_file(url: str) -> str | None:
    """The decoded path of a `file:` address; None for any other. Raises ValueError for what is no address."""
    parts = urlsplit(url)
    return unquote(parts.path) if parts.scheme == "file" else None


def redacted(text: str) -> str:
    """Text with addresses in it, less the users and passwords of those: reports and logs are shown around."""
    return _USER.sub(r"\1***@", text)


def shown(url: str) -> str:
    """An address for people: printable, without its user, and without its query, which may be a key to what is behind it."""
    return printable(_QUERY.sub(r"\1?...", redacted(url)))


def reference_to(path: str) -> str:
    """A path as a URI reference (RFC 3986): of an absolute path its `file:` address, else relative, percent-encoded.

    A colon in the first part of a relative one would make that a scheme. Bytes of a name that are no UTF-8 stay what they are.
    """
    return ("file://" if path.startswith("/") else "") + quote(path.encode(errors="surrogateescape"))
