"""What a machine is given to run, and what it measures of that: by docs/app-identity.md, with hashlib, and none of our own code."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

MARK = b"TEEKIT_MEASURES_APPS=1\n"
APP = b"export default { fetch: () => new Response('hello') }\n"
URL = "https://apps.example.org/hello.js"
Measured = tuple[str, bytes]


def manifest(app: bytes = APP, url: str = URL) -> bytes:
    return b'{\n  "app": "%s",\n  "sha256": "%s"\n}\n' % (url.encode(), hashlib.sha256(app).hexdigest().encode())


def digest(kind: str, content: bytes, bank: str) -> bytes:
    """`{ printf 'teekit measured KIND v1\\0'; cat CONTENT; } | sha384sum`."""
    return hashlib.new(bank, b"teekit measured " + kind.encode() + b" v1\0" + content).digest()


@dataclass(frozen=True)
class Given:
    """`events` are those of a machine that does as it should; a test may give others."""

    manifests: tuple[bytes, ...] = (manifest(),)
    hostnames: tuple[str, ...] = ()
    events: tuple[Measured, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.events:
            object.__setattr__(self, "events", self.measured())

    def measured(self) -> tuple[Measured, ...]:
        apps = [json.loads(text)["sha256"] for text in self.manifests]
        return (
            *(("manifest", text) for text in self.manifests),
            *(("app", f"{number} {sha256}".encode()) for number, sha256 in enumerate(apps)),
            ("hostnames", ",".join(self.hostnames).encode()),
            ("closed", b""),
        )

    def measuring(self, *events: Measured) -> Self:
        """The same told, and something else measured."""
        return replace(self, events=events)

    def value(self, bank: str = "sha384") -> bytes:
        """Of the register, from zeros on."""
        held = bytes(hashlib.new(bank).digest_size)
        for kind, content in self.events:
            held = hashlib.new(bank, held + digest(kind, content, bank)).digest()
        return held

    def records(self, *, rtmr: bool = True, pcr: bool = False) -> list[dict[str, Any]]:
        found = []
        for wanted, place, banks in (
            (rtmr, {"rtmr": 3}, ("sha384",)),
            (pcr, {"pcr": 15}, ("sha256", "sha384")),
        ):
            found += [_record(number, place, banks, event) for number, event in enumerate(self.events) if wanted]
        return found

    def log(self, *, rtmr: bool = True, pcr: bool = False) -> bytes:
        return sequence(self.records(rtmr=rtmr, pcr=pcr))


def _record(number: int, place: dict[str, int], banks: Sequence[str], event: Measured) -> dict[str, Any]:
    kind, content = event
    digests = [{"hashAlg": bank, "digest": digest(kind, content, bank).hex()} for bank in banks]
    said = {"type": kind, "bytes": base64.b64encode(content).decode()}
    return {"recnum": number, **place, "digests": digests, "content_type": "teekit", "content": said}


def sequence(records: Sequence[dict[str, Any]]) -> bytes:
    """RFC 7464."""
    return b"".join(b"\x1e" + json.dumps(record).encode() + b"\n" for record in records)
