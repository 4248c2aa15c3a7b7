"""What is measured: events, their digests and their records. The format is docs/app-identity.md."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORD_SEPARATOR = "\x1e"  # RFC 7464, section 2.2


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` is `manifest`, `app`, `hostnames` or `closed`."""

    kind: str
    content: bytes

    def digest(self, algorithm: str) -> bytes:
        """The kind is part of it, so no content of one kind can pass for another."""
        return hashlib.new(algorithm, f"teekit measured {self.kind} v1\0".encode() + self.content).digest()


def app(kettle: int, sha256: str) -> Event:
    return Event("app", f"{kettle} {sha256}".encode())


def record(number: int, register: Mapping[str, int], event: Event, digests: Mapping[str, bytes]) -> bytes:
    """An event of a register as TCG's canonical event log has it, in JSON. `register` is {"rtmr": 3} or {"pcr": 15}."""
    fields = {
        "recnum": number,
        **register,
        "digests": [{"hashAlg": name, "digest": digest.hex()} for name, digest in digests.items()],
        "content_type": "teekit",
        "content": {"type": event.kind, "bytes": base64.b64encode(event.content).decode()},
    }
    return f"{RECORD_SEPARATOR}{json.dumps(fields)}\n".encode()


def extended(value: bytes, digest: bytes, algorithm: str) -> bytes:
    """What a register is after it was extended."""
    return hashlib.new(algorithm, value + digest).digest()
