"""A manifest: which app a guest is given to run. The guest takes what is taken here, and nothing else (docs/guest.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from teekit_verify.core.digest import Algorithm, Digest
from teekit_verify.core.errors import TeekitError, printable
from teekit_verify.core.files import read_bounded
from teekit_verify.core.frozen import frozen
from teekit_verify.core.plain_json import load_plain

if TYPE_CHECKING:
    from pathlib import Path

MOST_MANIFESTS = 16
MOST_BYTES = 4096
_FIELDS = frozenset({"app", "sha256"})
_ADDRESS = re.compile(r"(file|https?):[!-~]{1,2000}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}")
_HINT = 'Give what the machine was given, such as {"app": "https://example.org/app.js", "sha256": "52b5..."}.'


@frozen
class Manifest:
    """`content` are its exact bytes, which are measured; `app` a file, http or https URL; `sha256` that of the app's bytes."""

    content: bytes
    app: str
    sha256: Digest


def parse_manifest(content: bytes, where: str = "manifest") -> Manifest:
    """An object of two strings. Raises TeekitError for what the guest refuses: no app would run."""
    if len(content) > MOST_BYTES:
        raise TeekitError(f"{where}: a manifest has {MOST_BYTES} bytes at most, found {len(content)}", hint=_HINT)
    try:
        fields = load_plain(content)
    except ValueError as error:
        raise TeekitError(f"{where}: is not JSON: {printable(str(error))[:120]}", hint=_HINT) from error
    if not isinstance(fields, dict) or set(fields) != _FIELDS:
        raise TeekitError(f"{where}: expected an object with the fields app and sha256 alone", hint=_HINT)
    app, sha256 = fields["app"], fields["sha256"]
    if not isinstance(app, str) or not _ADDRESS.fullmatch(app):
        raise TeekitError(f"{where}: app: expected a file, http or https address in ASCII", hint=_HINT)
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise TeekitError(f"{where}: sha256: expected 64 hexadecimal digits", hint=_HINT)
    return Manifest(content, app, Digest.from_hex(Algorithm.SHA256, sha256.lower()))


def read_manifest(path: Path) -> Manifest:
    """Raises TeekitError."""
    return parse_manifest(read_bounded(path, MOST_BYTES, "a manifest"), str(path))


def require_hostname(text: str) -> str:
    """In lower case. Raises TeekitError for what the guest refuses."""
    name = text.lower()
    if not _HOSTNAME.fullmatch(name):
        raise TeekitError(f"'{printable(text[:80])}' is not a hostname", hint="Write it like app.example.org.")
    return name
