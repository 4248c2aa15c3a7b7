"""Who asked for a quote. What a quote's REPORTDATA is follows from that, so that no app can say it is another.

REPORTDATA = SHA-512(DOMAIN || SHA-256 of the app (32 bytes) || what the app asked for (64 bytes))

DOMAIN separates it from whatever else is signed as a SHA-512; every part has a fixed length, so no two questions are one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .refusal import Refused

if TYPE_CHECKING:
    from pathlib import Path

DOMAIN = b"teekit kettle report data v1\0"
APP_BYTES = 32
ASKED_BYTES = 64


def bind(app: bytes, asked: bytes) -> bytes:
    """64 bytes for the platform to sign."""
    if (len(app), len(asked)) != (APP_BYTES, ASKED_BYTES):
        raise Refused(f"expected {APP_BYTES} and {ASKED_BYTES} bytes, found {len(app)} and {len(asked)}")
    return hashlib.sha512(DOMAIN + app + asked).digest()


class App:
    """The app a kettle runs. Its bytes are read once: the launcher lays them out before the kettle starts, and never again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._digest = b""

    def digest(self) -> bytes:
        if not self._digest:
            try:
                with self._path.open("rb") as stream:
                    self._digest = hashlib.file_digest(stream, "sha256").digest()
            except OSError as error:
                raise Refused(f"the app cannot be read: {error.strerror}") from None
        return self._digest
