"""The bytes of an app: from a file or the network, and only those the manifest names by their SHA-256."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import fetch, layout
from .refusal import Refused, shown

if TYPE_CHECKING:
    from .manifest import Manifest

MOST_BYTES = 64 * 1024 * 1024
SECONDS = 120.0
TRIES = 3
PAUSE_SECONDS = 5.0


def load(manifest: Manifest, *, seconds: float = SECONDS, pause_seconds: float = PAUSE_SECONDS) -> bytes:
    """The app's bytes, or Refused."""
    path = manifest.path
    content = _file(path) if path is not None else _download(manifest.app, seconds, pause_seconds)
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.sha256:
        raise Refused(f"{shown(manifest.app)} has SHA-256 {found}, the manifest says {manifest.sha256}")
    return content


def _file(path: str) -> bytes:
    """A regular file of the image. (Reading a pipe would wait for whoever writes to it.)"""
    file = Path(path)
    try:
        # Resolved: neither `..` nor a link leads out.
        if not file.resolve().is_relative_to(layout.IMAGE_APPS):
            raise Refused(f"{shown(path)} is not below {layout.IMAGE_APPS}, the image's own apps")
        if not file.is_file():
            raise Refused(f"{shown(path)} is no regular file")
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise Refused(f"{shown(path)} cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise Refused(f"{shown(path)} is larger than {MOST_BYTES} bytes")
    return content


def _download(url: str, seconds: float, pause_seconds: float) -> bytes:
    """Once more where the network may have been at fault: the machine has only just started."""
    for _ in range(TRIES - 1):
        try:
            return fetch.download(url, seconds=seconds, most_bytes=MOST_BYTES)
        except fetch.Unreachable:
            time.sleep(pause_seconds)
    return fetch.download(url, seconds=seconds, most_bytes=MOST_BYTES)
