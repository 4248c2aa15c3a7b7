"""Manifests: which app a kettle runs. The metadata attribute is one in base64, or several with commas between."""

from __future__ import annotations

import base64
import json
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from . import fetch
from .layout import KETTLES
from .refusal import Refused, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

# An environment variable cannot be longer than 128 KiB; these hold 16 manifests of 4 KiB.
MOST_BYTES = 64 * 1024
MOST_BYTES_EACH = 4096
SHA256_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Manifest:
    """`app` is a URL of scheme file, http or https; `sha256` that of its content, in lower case."""

    app: str
    sha256: str

    @property
    def path(self) -> str | None:
        """The file of a `file:` URL."""
        parts = urlsplit(self.app)
        return unquote(parts.path) if parts.scheme == "file" else None


def split(value: bytes, most_bytes: int = MOST_BYTES) -> list[bytes]:
    """The manifests in the attribute, in base64 still, one for each kettle: a bad one keeps its place."""
    if len(value) > most_bytes:
        raise Refused(f"manifest is longer than {most_bytes} bytes")
    parts = [part.strip(b" \t\r\n") for part in value.split(b",")]
    if len(parts) > KETTLES:
        raise Refused(f"manifest holds {len(parts)} manifests, and there are {KETTLES} kettles")
    return parts


def decode(part: bytes) -> Manifest:
    """A manifest in base64."""
    if not part:
        raise Refused("there is no manifest for it")
    try:
        text = base64.b64decode(part, validate=True)
    except ValueError:
        raise Refused(f"{shown(part)} is not base64") from None
    return parse(text)


def given(part: bytes) -> bytes:
    """The bytes of a manifest as somebody gave them, whatever they are: what is no base64, as it stands."""
    try:
        return base64.b64decode(part, validate=True)
    except ValueError:
        return part


def encode(given_ones: Sequence[bytes]) -> str:
    """The attribute again, in letters that mean nothing to shells and systemd, and with every byte that was given: they are measured."""
    return ",".join(base64.b64encode(one).decode() for one in given_ones)


def parse(text: bytes) -> Manifest:
    """A manifest in JSON: an object of two strings and nothing else."""
    if len(text) > MOST_BYTES_EACH:
        raise Refused(f"a manifest is longer than {MOST_BYTES_EACH} bytes")
    try:
        fields = json.loads(text.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise Refused(f"a manifest is not JSON: {shown(text)}") from None
    if not isinstance(fields, dict):
        raise Refused(f"a manifest must be an object: {shown(text)}")
    unknown = set(fields) - {"app", "sha256"}
    if unknown:
        raise Refused(f"a manifest has the unknown field {shown(min(unknown))}")
    return Manifest(_app(fields.get("app")), _sha256(fields.get("sha256")))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(pairs)) != len(pairs):
        raise Refused("a manifest names a field twice")
    return dict(pairs)


def _app(value: object) -> str:
    if not isinstance(value, str):
        raise Refused("a manifest must have a field app, a string")
    parts = fetch.split_url(value)
    if parts.scheme != "file":
        fetch.address_of(value)
        return value
    # RFC 8089: an absolute path, no host but this one.
    path = unquote(parts.path)
    here = parts.netloc in {"", "localhost"} and not parts.query and not parts.fragment
    if not here or not path.startswith("/") or "\0" in path:
        raise Refused(f"{shown(value)} must be file: and an absolute path")
    return value


def _sha256(value: object) -> str:
    if not isinstance(value, str) or len(value) != SHA256_CHARACTERS or set(value) - set(string.hexdigits):
        raise Refused(f"a manifest must have a field sha256 of {SHA256_CHARACTERS} hexadecimal digits")
    return value.lower()
