"""What a guest of this project measures of what it was given to run: kinds of events, what is hashed, into which registers.

The format is docs/app-identity.md. It is here, below prediction and evidence, because both have to say the same.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

from teekit_verify.core.digest import Digest
from teekit_verify.registers.events import Event
from teekit_verify.registers.registers import Register, pcr, rtmr

MEASURED_EVENT = 0x08000105
"""A number of our own (`evidence.describe` has others): these events have no type of the TCG's."""
FORMAT: Literal["teekit measured v1"] = "teekit measured v1"
TD_REGISTER, TPM_REGISTER = rtmr(3), pcr(15)
"""Of a TD, and wherever there is a TPM."""
_PREFIX, _SUFFIX = b"teekit measured ", b" v1\0"


class Measured(Enum):
    """The kinds of events, in the order in which they are measured."""

    MANIFEST = "manifest"
    APP = "app"
    HOSTNAMES = "hostnames"
    CLOSED = "closed"


def hashed_bytes(kind: str, content: bytes) -> bytes:
    """What an event's digests are of; `kind` is ASCII without spaces."""
    return _PREFIX + kind.encode("ascii") + _SUFFIX + content


def split_hashed(data: bytes) -> tuple[str, bytes] | None:
    """The kind and content that were put together by `hashed_bytes`; None for other bytes."""
    head, separator, content = data.partition(_SUFFIX)
    if not separator or not head.startswith(_PREFIX):
        return None
    kind = head.removeprefix(_PREFIX)
    return (kind.decode("ascii"), content) if kind.isalpha() and kind.isascii() else None


def app_content(kettle: int, sha256: Digest) -> bytes:
    """Of an `app` event: which kettle it is, and the bytes that it runs."""
    return f"{kettle} {sha256.hex}".encode("ascii")


def measured_event(register: Register, kind: Measured, content: bytes, description: str, cause: str) -> Event:
    """A predicted event, in the banks that are predicted of the register."""
    data = hashed_bytes(kind.value, content)
    digests = tuple(Digest.of(bank, data) for bank in register.algorithms)
    return Event(register, MEASURED_EVENT, digests, description, cause, data)
